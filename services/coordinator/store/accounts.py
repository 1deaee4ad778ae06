"""Namespaces: their weights, quotas and use, and the shares of their jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from services.coordinator.store.sqlbase import SqlPart
from tuner.queue import Quota
from tuner.wire.names import JobName


class Accounts(Protocol):
    """The store's namespaces. Every call may raise UnavailableError."""

    def quotas(self) -> dict[str, Quota]:
        """Returns what was set of namespaces, by their names."""
        ...

    def set_quota(self, namespace: str, quota: Quota) -> None:
        """Sets a namespace's weight and quotas, all of them."""
        ...

    def job_counts(self) -> dict[str, int]:
        """Returns how many jobs each namespace has, ended ones too."""
        ...

    def add_usage(self, device_seconds: Mapping[str, float]) -> None:
        """Adds device-seconds that namespaces have used in this hour."""
        ...

    def usage(self, since: datetime) -> dict[str, float]:
        """Returns the device-seconds that namespaces have used since then, to the hour."""
        ...

    def set_share(self, name: JobName, slots: int, reason: str) -> None:
        """Grants a job a share of slots, with a ShareChanged event.

        Raises:
            NotFoundError: There is no such job.
            WrongStateError: It has ended.
        """
        ...

    def lost_by_node(self, since: datetime) -> dict[str, int]:
        """Returns how many packets each node has lost since then."""
        ...


class SqlAccounts(SqlPart):
    """`Accounts` over SQL."""
