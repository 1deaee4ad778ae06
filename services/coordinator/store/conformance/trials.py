"""Trials by pages: every candidate once, with all that was measured of it."""

from __future__ import annotations

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.samples import (
    DEPTH,
    TREES,
    a_measurement,
    a_running_job,
)
from tuner.record import Phase, candidate_id


class TrialsConformance:
    """Trials by pages: every candidate once."""

    def test_pages_hold_every_candidate_once_with_all_its_measurements(self, store: Store) -> None:
        running = a_running_job(store)
        rows = [a_measurement(running.name, n) for n in range(7)]
        rows += [
            a_measurement(running.name, 2, replicate=1),
            a_measurement(running.name, 0, phase=Phase.MEASURING),
        ]
        rows += [a_measurement(running.name, 3, search=DEPTH)]
        for row in rows:
            store.record(*running.caller, [row], [])
        for search in (None, TREES, DEPTH):
            expected: dict[str, list[str]] = {}
            for row in rows:
                if search in (None, row.search):
                    key = candidate_id(row.search, row.level, row.setting)
                    expected.setdefault(key, []).append(row.id)
            after, found = 0, []
            while page := store.trials(running.name, search, after, 2):
                assert len(page) <= 2
                found += [[row.id for row in measurements] for _, measurements in page]
                after = page[-1][0]
            assert found == list(expected.values())

    def test_a_candidate_that_comes_meanwhile_is_on_a_later_page(self, store: Store) -> None:
        running = a_running_job(store)
        store.record(*running.caller, [a_measurement(running.name, n) for n in range(2)], [])
        [(after, _)] = store.trials(running.name, None, 0, 1)
        store.record(
            *running.caller, [a_measurement(running.name, n, replicate=1) for n in range(3)], []
        )
        following = store.trials(running.name, None, after, 10)
        assert [[row.replicate for row in rows] for _, rows in following] == [[0, 1], [1]]

    def test_other_jobs_trials_stay_theirs(self, store: Store) -> None:
        one, other = a_running_job(store), a_running_job(store)
        store.record(*one.caller, [a_measurement(one.name, 1)], [])
        assert store.trials(other.name, None, 0, 10) == []
