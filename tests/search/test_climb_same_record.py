"""A search follows from its spec and its results, not from arrivals, workers or restarts."""

from __future__ import annotations

import os
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search import promises
from tests.search.bench import Table, climb
from tests.search.cases import CLIMBING, Case, cases, plateau_at
from tuner.record import record_digest, seed_of
from tuner.spec import JobSpec
from tuner.wire.record import step_from_wire, step_to_wire


@settings(max_examples=120, deadline=None)
@given(
    case=cases() | CLIMBING,
    workers=st.integers(1, 9),
    shuffle=st.integers(0, 2**32),
    restart=st.sampled_from([0.0, 0.1, 0.5]),
    ahead=st.sampled_from([0.0, 0.3]),
)
def test_steps_and_record_are_the_same_whatever_arrives_when_dies_or_runs_ahead(
    case, workers, shuffle, restart, ahead
):
    """A runner that starts anew has the steps from the coordinator, over the wire."""
    undisturbed = climb(case.table, case.key, workers=1)
    other = climb(
        case.table,
        case.key,
        workers=workers,
        shuffle=shuffle,
        restart=restart,
        ahead=ahead,
        reread=lambda step: step_from_wire(step_to_wire(step)),
    )
    assert other.steps == undisturbed.steps
    assert record_digest(other.claimed()) == record_digest(undisturbed.claimed())


@settings(max_examples=150, deadline=None)
@given(case=cases() | CLIMBING)
def test_a_record_keeps_every_promise(case):
    promises.check(case, climb(case.table, case.key, workers=1))


def few() -> list[Case]:
    """Returns one search of each kind."""
    kinds = [
        {},
        {"tuning": {"trials": 6, "generation": 2, "race": 3, "sampler": "random"}},
        {"tuning": {"trials": 2, "retune": True}},
        {"resources": {"fuse": 4}, "patience": 1},
        {"worth": {"gain": 0.02, "device_hours": 1.0}},
        {"searches": [{"learner": "simulated", "axis": "trees", "levels": (1, 2, 4, 8)}]},
        {"searches": [{"learner": "cnn", "axis": "depth", "levels": (1, 2, 3, 4, 5)}]},
    ]
    specs = [
        JobSpec.parse(
            {
                "dataset": "digits",
                "margin": 0.02,
                "tuning": {"trials": 4, "generation": 2},
                "searches": [{"learner": "simulated", "axis": "depth", "levels": (1, 2, 3, 4)}],
                **kind,
            }
        )
        for kind in kinds
    ]
    return [
        Case(spec, Table(spec, plateau_at(2), 0.004, scatter=0.004, seconds=lambda c: 3600.0 * c))
        for spec in specs
    ]


def fingerprint() -> str:
    """Returns a number that all steps of some searches make."""
    return str(seed_of(*(repr(climb(case.table, case.key).steps) for case in few())))


def test_another_process_with_other_hashes_decides_the_same():
    """Sets and dicts of strings are in another order there."""
    code = "from tests.search.test_climb_same_record import fingerprint; print(fingerprint())"
    ours = os.environ.get("PYTHONHASHSEED", "random")
    other = "7" if ours != "7" else "8"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": other},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == fingerprint()
