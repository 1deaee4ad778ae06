"""The audit log's writer over both databases: each entry once, whatever stands in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from services.coordinator.access.audit import Audit
from services.coordinator.store import SqlStore
from tuner.access import AuditEntry


def entry(resource: str, reason: str = "") -> AuditEntry:
    return AuditEntry("ada", "", "CancelJob", "", resource, "OK", reason, "ipv4:127.0.0.1:1")


def written(store: SqlStore) -> list[str]:
    return [entry.resource for _, entry in reversed(store.audit_log(None, 2))]


async def test_only_the_entry_that_cannot_be_written_is_lost(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = store.append_audit

    def picky(entries: Sequence[AuditEntry]) -> None:
        if any(one.resource == "bad" for one in entries):
            raise ValueError("bad")
        append(entries)

    monkeypatch.setattr(store, "append_audit", picky)
    audit = Audit(store)
    audit.start()
    for resource in ("first", "bad", "last"):
        audit.done(entry(resource))
    await audit.stop()
    assert written(store) == ["first", "last"]


async def test_what_is_being_written_at_the_end_is_written_once(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, begun, go_on = store.append_audit, threading.Event(), threading.Event()

    def slow(entries: Sequence[AuditEntry]) -> None:
        begun.set()
        assert go_on.wait(20)
        append(entries)

    monkeypatch.setattr(store, "append_audit", slow)
    audit = Audit(store)
    audit.start()
    audit.done(entry("once"))
    assert await asyncio.to_thread(begun.wait, 20)
    stopping = asyncio.create_task(audit.stop())
    await asyncio.sleep(0)
    audit.done(entry("while it ends"))
    go_on.set()
    await stopping
    assert written(store) == ["once", "while it ends"]
