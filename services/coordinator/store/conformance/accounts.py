"""Namespaces: quotas, and use by the hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.making import MakeStore
from services.coordinator.store.conformance.samples import a_name, a_spec
from tuner.errors import Status, TunerError
from tuner.jobs import JobState
from tuner.queue import Quota
from tuner.wire.names import JobName


def a_namespace() -> str:
    """A namespace that no other test has."""
    return a_name().job.replace("job", "team")


class AccountsConformance:
    """Quotas and use."""

    def test_a_quota_is_set_whole(self, store: Store) -> None:
        name = a_namespace()
        assert name not in store.quotas()
        store.set_quota(name, Quota(2.5, 3, 8, 100.0, 50))
        assert store.quotas()[name] == Quota(2.5, 3, 8, 100.0, 50)
        store.set_quota(name, Quota(max_slots=0))
        assert store.quotas()[name] == Quota(max_slots=0)

    def test_no_job_is_made_over_the_quota_but_a_retry_finds_its_own(self, store: Store) -> None:
        space = a_namespace()
        store.set_quota(space, Quota(max_jobs=2))
        made = [
            store.create_job(JobName(space, f"j{i}"), a_spec(), "ada", f"r{i}") for i in range(2)
        ]
        with pytest.raises(TunerError, match="2 of its 2 jobs") as caught:
            store.create_job(JobName(space, "j2"), a_spec(), "ada", "r2")
        assert (caught.value.status, caught.value.reason) == (
            Status.RESOURCE_EXHAUSTED,
            "QUOTA_EXCEEDED",
        )
        assert store.create_job(JobName(space, "j1"), a_spec(), "ada", "r1") == (made[1][0], False)
        assert store.job_counts()[space] == 2
        store.set_job_state(made[0][0].name, JobState.CANCELLED, "", [JobState.PENDING])
        store.delete_job(made[0][0].name)
        store.create_job(JobName(space, "j2"), a_spec(), "ada", "r2")

    def test_use_is_added_up_by_the_hour(self, make_store: MakeStore) -> None:
        now = [datetime(2026, 5, 1, 10, 30, tzinfo=UTC)]
        store = make_store(clock=lambda: now[0])
        a, b = a_namespace(), a_namespace()
        store.add_usage({a: 10.0, b: 0.0})
        store.add_usage({a: 5.0, b: 2.5})
        now[0] += timedelta(hours=2)
        store.add_usage({a: 100.0})
        begin = datetime(2026, 5, 1, 10, 59, tzinfo=UTC)
        used = store.usage(begin)
        assert (used[a], used[b]) == (115.0, 2.5)
        later = store.usage(begin + timedelta(hours=1))
        assert later[a] == 100.0
        assert b not in later
        store.close()
