"""Shares: what runners hold and are told, and packets that nodes have lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.making import MakeStore
from services.coordinator.store.conformance.samples import (
    Running,
    a_job,
    a_name,
    a_running_job,
    a_try,
    kinds_of,
    log_of,
)
from services.coordinator.store.errors import NotFoundError, WrongStateError
from services.coordinator.store.shares import Load, Notice, Outlook
from tuner.jobs import JobState, ShareChanged
from tuner.record import PacketOutcome


class SharesConformance:
    """Shares, loads, and what is known of the cluster."""

    def test_a_share_is_an_event_where_it_changes(self, store: Store) -> None:
        job = a_running_job(store)
        assert store.orders(job.name).share is None
        store.set_share(job.name, 3, "share 3 of 8", ["n2", "n1"])
        orders = store.orders(job.name)
        assert (orders.state, orders.share, orders.share_reason) == (
            JobState.RUNNING,
            3,
            "share 3 of 8",
        )
        assert orders.avoid_nodes == ("n1", "n2")
        row = store.get_job(job.name)
        assert (row.share, row.share_reason, row.avoid_nodes) == (3, "share 3 of 8", ("n1", "n2"))
        store.set_share(job.name, 3, "as before")
        assert store.orders(job.name).avoid_nodes == ()
        assert store.orders(job.name).share_reason == "as before"
        store.set_share(job.name, 0, "makes way")
        whats = [event.what for event in log_of(store, job.name)]
        assert [w for w in whats if isinstance(w, ShareChanged)] == [
            ShareChanged(3, "share 3 of 8"),
            ShareChanged(0, "makes way"),
        ]

    def test_a_job_that_comes_to_rest_has_no_share_any_more(self, store: Store) -> None:
        job = a_running_job(store)
        store.set_share(job.name, 3, "share 3 of 8", ["n1"])
        store.set_job_state(job.name, JobState.QUEUED, "", [JobState.RUNNING])
        row = store.get_job(job.name)
        assert (row.share, row.share_reason, row.avoid_nodes) == (None, "", ())
        store.set_job_state(job.name, JobState.CANCELLED, "", [JobState.QUEUED])
        with pytest.raises(WrongStateError, match="has ended"):
            store.set_share(job.name, 3, "")
        for call in (lambda n: store.set_share(n, 3, ""), store.orders):
            with pytest.raises(NotFoundError):
                call(a_name())

    def test_places_and_reasons_are_noted_without_events(self, store: Store) -> None:
        first, second = a_job(store), a_job(store)
        store.note({})
        store.note(
            {second: Notice("waits: b", 2), first: Notice("waits: a", 1), a_name(): Notice("")}
        )
        for name, place, reason in ((first, 1, "waits: a"), (second, 2, "waits: b")):
            row = store.get_job(name)
            assert (row.place, row.share_reason) == (place, reason)
            assert row.status().queue_position == 0
            assert kinds_of(log_of(store, name)) == ["JobStateChanged"]
            store.set_job_state(name, JobState.QUEUED, "came", [JobState.PENDING])
            status = store.get_job(name).status()
            assert (status.queue_position, status.reason) == (place, reason)

    def test_loads_are_what_live_runners_last_said(self, store: Store) -> None:
        job, silent, ended = a_running_job(store), a_running_job(store), a_running_job(store)
        store.heartbeat(*job.caller, 2, 7, {"n1": 2, "n2": 1})
        store.heartbeat(*ended.caller, 1, 0, {"n1": 1})
        store.end_attempt(*ended.caller, "PAUSED", "")
        loads = store.loads()
        assert loads[job.name] == Load({"n1": 2, "n2": 1}, 2, 7)
        assert loads[silent.name] == Load()
        assert ended.name not in loads

    def test_lost_packets_are_counted_by_node_each_once(self, make_store: MakeStore) -> None:
        now = [datetime(2026, 5, 1, tzinfo=UTC)]
        store = make_store(clock=lambda: now[0])
        job = a_running_job(store)

        def lose(job: Running, packet: int, number: int, node: str, **changes: object) -> None:
            lost = a_try(packet, number=number, node=node, outcome=PacketOutcome.LOST, **changes)
            store.record(*job.caller, [], [lost])

        lose(job, 1, 1, "bad")
        now[0] += timedelta(minutes=10)
        since = now[0]
        lose(job, 1, 2, "bad")
        lose(job, 1, 3, "bad")
        lose(job, 2, 1, "bad")
        lose(job, 3, 1, "good")
        lose(job, 4, 1, "")
        store.record(*job.caller, [], [a_try(5, node="good")])
        other = a_running_job(store)
        lose(other, 1, 1, "bad")
        assert store.lost_by_node(since) == {"bad": 3, "good": 1}
        store.close()

    def test_the_outlook_is_the_last_that_was_left(self, store: Store) -> None:
        for outlook in (Outlook(8.0, 1.0, 0.25), Outlook(16.0)):
            store.set_outlook(outlook)
            assert store.outlook() == outlook
