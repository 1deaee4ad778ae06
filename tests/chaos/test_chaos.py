"""Storms of faults leave the record of an undisturbed run, and nothing behind."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.chaos.faults import TARGETS, Fault
from tests.chaos.jobs import Record, Troop
from tests.chaos.mischief import OFTEN, Script
from tests.chaos.proxy import Mode
from tests.chaos.reference import undisturbed
from tests.chaos.scenarios import long_faults, long_jobs, short_faults, short_jobs
from tests.chaos.storm import Storm
from tests.chaos.tally import hits, report
from tests.chaos.theatre import Theatre, theatre
from tests.chaos.visitor import Visitor, urgent_jobs
from tuner import JobSpec

END_SECONDS = 240.0
"""What the last jobs may take after the storm."""
SHORT_SECONDS = 240.0  # some forty where nothing else runs


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def storm(
    there: Theatre,
    seed: int,
    specs: dict[str, JobSpec],
    references: dict[str, Record],
    faults: Sequence[Fault],
    script: Script,
    deadline: float,
    tell: Callable[[str], None],
    abreast: int,
    urgent: dict[str, JobSpec] | None = None,
    data: str = "",
) -> tuple[Storm, Troop]:
    """Runs the jobs through the storm, and examines them."""
    with there.client() as client:
        troop = Troop(client, there.client, specs, references, abreast, again=urgent is not None)
        visitor = None if urgent is None else Visitor(there.client, troop, seed, urgent, data)
        raging = Storm(there.stage, troop, say, deadline, visitor)
        began = time.monotonic()
        there.switch.now = script
        if visitor is not None:
            visitor.start()
        try:
            raging.rage(faults)
            raging.rage_on(lambda: bool(script.missed()), deadline - END_SECONDS)
            raging.to_the_end()
            raging.until(lambda: not there.stage.head.lingering(), "the last actors' end", 60)
            for name, watcher in troop.ended.items():
                troop.examine(name, watcher)
            for name, watcher in (visitor.watchers if visitor is not None else {}).items():
                troop.examine(name, watcher)
        finally:
            seconds = time.monotonic() - began
            tell(report(seed, raging, script, troop, there.takeovers(), seconds))
    return raging, troop


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def write(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print("\n" + text)
        if path := request.config.getoption("--report"):
            Path(path).write_text(text, encoding="utf-8")

    return write


@pytest.mark.timeout(int(SHORT_SECONDS) + 60)
def test_a_short_storm_changes_nothing(tmp_path: Path, tell: Callable[[str], None]):
    deadline = time.monotonic() + SHORT_SECONDS
    specs = short_jobs()
    references = undisturbed(specs)
    with theatre(tmp_path / "home", 1, say, nodes=1, cpus=4, abreast=2) as there:
        kills = {"RecordMeasurements": (Mode.KILLED_AFTER,)}
        script = Script(1, there.may_kill, kills, OFTEN)
        raging, troop = storm(
            there, 1, specs, references, short_faults(), script, deadline, tell, abreast=2
        )
    assert not troop.wrong
    assert len(raging.struck) == len(short_faults())
    assert hits(raging, script) >= 12


@pytest.mark.chaos
@pytest.mark.timeout(0)  # it has a deadline of its own
def test_a_long_storm_changes_nothing(
    tmp_path: Path, tell: Callable[[str], None], request: pytest.FixtureRequest
):
    seed = request.config.getoption("--chaos-seed")
    deadline = time.monotonic() + request.config.getoption("--chaos-seconds")
    data = f"csv:{_table(tmp_path / 'storms.csv')}?target=label"
    specs = long_jobs(data)
    urgent = urgent_jobs(2)
    references = undisturbed(specs | urgent)
    with theatre(tmp_path / "home", seed, say, nodes=2, cpus=4, abreast=3) as there:
        script = Script(seed, there.may_kill)
        raging, troop = storm(
            there,
            seed,
            specs,
            references,
            long_faults(seed),
            script,
            deadline,
            tell,
            abreast=3,
            urgent=urgent,
            data=data,
        )
    assert not troop.wrong
    assert raging.visitor is not None and not raging.visitor.wrong
    assert {s.fault.target for s in raging.struck} == set(TARGETS)
    minutes = {s.fault.target for s in raging.struck if s.fault.frozen >= 60}
    assert minutes == {f.target for f in long_faults(seed) if f.frozen >= 60}
    assert hits(raging, script) >= 50
    assert not script.missed()


def _table(path: Path) -> Path:
    """Writes a small data set of three classes."""
    rng = np.random.default_rng(3)
    labels = rng.integers(3, size=240)
    values = rng.normal(size=(240, 5)) + labels[:, None]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*"abcde", "label"])
        writer.writerows(
            [*map(float, row), f"class {y}"] for row, y in zip(values, labels, strict=True)
        )
    return path
