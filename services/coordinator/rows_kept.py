"""Searches' measurements as they were last read, so that a grown record is read from there on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from services.coordinator.store.base import Store
from services.coordinator.store.rows import JobRow
from tuner.record import Measurement
from tuner.wire.names import JobName

MOST_ROWS = 50_000
"""Rows that are kept over all searches, some 2 KB each; larger searches are read each time."""

_Key = tuple[JobName, datetime, str]


@dataclass
class _Kept:
    """One search's rows; whoever reads on holds the lock."""

    rows: list[Measurement] = field(default_factory=list)
    position: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class RowsKept:
    """Reads measurements of a search. Several threads may use it at once."""

    def __init__(self, store: Store) -> None:
        """Takes where they are."""
        self._store = store
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, job: JobRow, search: str) -> list[Measurement]:
        """Returns all of a search's measurements as they were recorded. Raises NotFoundError."""
        # A job that is deleted and made again under its name is another one.
        key = (job.name, job.create_time, search)
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
        with kept.lock:
            fresh, kept.position = self._store.measurements(job.name, search, kept.position)
            kept.rows += fresh
            rows = list(kept.rows)
        with self._lock:
            while sum(len(one.rows) for one in self._kept.values()) > MOST_ROWS:
                self._kept.popitem(last=False)
        return rows
