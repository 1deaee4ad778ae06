"""A refit that is taken up again fits nothing twice, and what it says of itself is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.runner import refit as refits
from services.runner.pulse import Halt
from tuner.datasets import registry
from tuner.datasets.base import DataError
from tuner.record import Conclusion, Measurement, Outcome, PacketOutcome, Phase, PlanStep
from tuner.spec import JobSpec, Refit
from tuner.trials.refit import Kept
from tuner.trials.work import Report, Task

REFIT = Refit(job="namespaces/default/jobs/chose", search="forest/trees", level=2, setting=())
SPEC = JobSpec(
    dataset="digits",
    searches=[{"learner": "forest", "axis": "trees", "levels": (2, 4)}],
    baseline=None,
    refit=REFIT,
)
DATA = registry.load("digits")


class Keeper:
    attempt = 1

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.steps: list[PlanStep] = []
        self.rows: list[Measurement] = []

    def commit(self, step: PlanStep) -> None:
        self.calls.append(f"step {step.number}")
        self.steps.append(step)

    def record(self, measurements, attempts) -> None:
        self.calls.append("record")
        self.rows += measurements

    def attach(self, name: str, content: bytes) -> None:
        self.calls.append(f"attach {name}")


@pytest.fixture
def fits(monkeypatch) -> list[Task]:
    done: list[Task] = []

    def fit(task: Task, *rest: object) -> Kept:
        done.append(task)
        now = datetime.now(UTC)
        row = Measurement(
            "id", task.search, Phase.MEASURING, 2, (), 0, Outcome.COMPLETED, {"error": 0.1}
        )
        report = Report(task, (row,), "node", "cpu", now, now, 1.0, PacketOutcome.COMPLETED)
        return Kept(report, {"model.json": b"{}"})

    monkeypatch.setattr(refits, "_on_the_cluster", fit)
    return done


def run(keeper: Keeper, steps=(), measurements=()) -> None:
    refits.run(
        SPEC, "namespaces/default/jobs/x", DATA, keeper, Halt(), str, None, steps, measurements
    )


def test_files_are_kept_before_the_measurement_that_says_so(fits: list[Task]) -> None:
    keeper = Keeper()
    run(keeper)
    assert keeper.calls == ["step 1", "attach model/model.json", "record", "step 2"]
    assert keeper.steps[1].conclusion is Conclusion.ANSWERED


def test_what_was_recorded_is_concluded_without_another_fit(fits: list[Task]) -> None:
    first = Keeper()
    run(first)
    again = Keeper()
    run(again, first.steps[:1], first.rows)
    assert len(fits) == 1
    assert again.calls == ["step 1", "step 2"]
    assert again.steps == first.steps


def test_what_was_concluded_stays(fits: list[Task]) -> None:
    first = Keeper()
    run(first)
    again = Keeper()
    run(again, first.steps, first.rows)
    assert again.calls == []


def test_other_data_is_refused() -> None:
    with pytest.raises(DataError, match="the data has changed since"):
        refits.check(REFIT.model_copy(update={"data_digest": "0" * 64}), DATA)
    refits.check(REFIT.model_copy(update={"data_digest": DATA.digest}), DATA)
