"""Many runs of many policies in the same worlds with the same seeds, and what came of them."""

from __future__ import annotations

import functools
import itertools
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tuner.curve import Question
from tuner.errors import invalid
from tuner.record import Member, Phase, seed_of
from tuner.search.record import SearchRecord
from tuner.search.simulation.hpobench import Spread
from tuner.search.simulation.judge import Mark, Share, judge
from tuner.search.simulation.oracle import least_seconds
from tuner.search.simulation.plans import Sweep
from tuner.search.simulation.policies import find_policy
from tuner.search.simulation.run import Answer, Optimizer, Plan, Run, needs_margin, simulate
from tuner.search.simulation.tables import find_world
from tuner.search.simulation.world import World, WorldSpec
from tuner.spec import Measuring, Tuning

CHUNK = 10
"""Most runs that a process takes at once."""


@dataclass(frozen=True)
class Setup:
    """A policy in a world, and what it is asked.

    Attributes:
        policy: As `find_policy` takes it.
        table: As `find_world` takes it, as are axis, spread and raw.
        levels: The levels to search; all of the table's where empty.
        margins: Margins, each with every patience.
        patiences: Larger levels that must be measured before one can plateau.
        workers: Virtual workers.
        tuning: How hyperparameters are chosen.
        measuring: How often winners are measured.
    """

    policy: str
    table: str
    axis: str
    margins: tuple[float, ...] = (0.01,)
    patiences: tuple[int, ...] = (2,)
    levels: tuple[int, ...] = ()
    spread: Spread = Spread.POOLED
    raw: bool = False
    workers: int = 1
    tuning: Tuning = field(default_factory=Tuning)
    measuring: Measuring = field(default_factory=Measuring)

    def world(self) -> World:
        """Returns the world. Raises as `find_world` and `World.ladder` do."""
        return _world(self.table, self.axis, self.spread, self.raw, self.levels)

    def specs(self, seed: int) -> list[WorldSpec]:
        """Returns a spec for every margin and patience, in that order. Raises as `world`."""
        world = self.world()
        measuring = self.measuring
        if world.seeds is not None:  # there are no more to replay
            few = {
                "min_replicates": min(measuring.min_replicates, world.seeds),
                "max_replicates": min(measuring.max_replicates, world.seeds),
            }
            measuring = measuring.model_copy(update=few)
        return [
            WorldSpec(world, margin, seed, 0.05, patience, self.tuning, measuring)
            for margin, patience in itertools.product(self.margins, self.patiences)
        ]

    def check(self) -> None:
        """Makes the policy once, so that what is wrong is told before anything runs.

        Raises:
            TunerError: INVALID_ARGUMENT where the policy, table, axis or levels aren't
                there; FAILED_PRECONDITION where the tables aren't installed.
        """
        spec = self.specs(0)[0]
        made = find_policy(self.policy)(spec, spec.world.key)
        if not isinstance(made, Plan | Optimizer):
            problem = f"{self.policy!r} makes no policy: it has neither next_step nor ask and tell"
            raise invalid("--policy", problem)


@functools.lru_cache(maxsize=32)
def _world(table: str, axis: str, spread: Spread, raw: bool, levels: tuple[int, ...]) -> World:
    """Returns a world; kept, for every run asks for it."""
    world = find_world(table, axis, spread, raw=raw)
    return world.ladder(levels) if levels else world


@dataclass(frozen=True)
class Played:
    """How one run ended, seen with the truth.

    Attributes:
        mark: What its answer is worth.
        level: Its answer; None where it abstained.
        as_tuned: The mark if the truth were that of the winners that it measured: what a
            verdict claims, which takes hyperparameters as given. The difference to
            `mark` is the luck of tuning. None for an optimizer.
        device_seconds: What it cost.
        wall_clock_seconds: When it was done.
        oracle_seconds: Of a sweep, the least that a climb with its tuning needs; else None.
        trace: Of an optimizer, what its answers were worth on the way: device-seconds, mark.
    """

    mark: Mark
    level: float | None
    as_tuned: Mark | None
    device_seconds: float
    wall_clock_seconds: float
    oracle_seconds: float | None = None
    trace: tuple[tuple[float, Mark], ...] = ()


@dataclass(frozen=True)
class Row:
    """A policy's runs at one margin and patience.

    Attributes:
        setup: The policy and its world.
        margin: The margin.
        patience: The patience.
        ladder: The levels that were searched.
        runs: Its runs, in the order of their seeds.
    """

    setup: Setup
    margin: float
    patience: int
    ladder: tuple[int, ...]
    runs: tuple[Played, ...]

    def share(self, mark: Mark) -> Share:
        """Returns how many runs ended so."""
        return Share(sum(run.mark is mark for run in self.runs), len(self.runs))

    def share_as_tuned(self, mark: Mark) -> Share | None:
        """Returns how many did by the truth of the winners; None for an optimizer."""
        marks = [run.as_tuned for run in self.runs]
        return None if None in marks else Share(marks.count(mark), len(marks))

    @property
    def device_seconds(self) -> float:
        """The median."""
        return statistics.median(run.device_seconds for run in self.runs)

    @property
    def wall_clock_seconds(self) -> float:
        """The median."""
        return statistics.median(run.wall_clock_seconds for run in self.runs)

    @property
    def levels(self) -> dict[int, int]:
        """How often each level of the ladder was chosen."""
        chosen = Counter(run.level for run in self.runs)
        return {level: chosen[level] for level in self.ladder}


def play(setup: Setup, seed: int) -> list[Played]:
    """Runs a policy once for every margin and patience, in that order.

    One run serves all of them where its steps ask for neither. Raises as
    `Setup.check` and `simulate` do.
    """
    make = find_policy(setup.policy)
    specs = setup.specs(seed)
    key = specs[0].world.key
    questions = [spec.question(key) for spec in specs]
    if needs_margin(make, specs[0]):
        runs = [simulate(make, spec, setup.workers) for spec in specs]
        answers = [run.answers[0] for run in runs]
    else:
        run = simulate(make, specs[0], setup.workers, tuple(questions))
        runs, answers = [run] * len(specs), list(run.answers)
    least = specs[0].measuring.min_replicates if make is Sweep else None
    return [
        _played(run, answer, question, specs[0].world, least)
        for run, answer, question in zip(runs, answers, questions, strict=True)
    ]


def _played(
    run: Run, answer: Answer, question: Question, world: World, least: int | None
) -> Played:
    means = world.best()
    as_tuned = oracle = None
    if run.record is not None:
        as_tuned = judge(question, winners_means(world, run.record), answer.level)
        if least is not None:
            oracle = least_seconds(question, means, run.record, least)
    return Played(
        judge(question, means, answer.level),
        answer.level,
        as_tuned,
        run.device_seconds,
        run.wall_clock_seconds,
        oracle,
        tuple((seconds, judge(question, means, level)) for seconds, level in run.trace),
    )


def winners_means(world: World, record: SearchRecord) -> dict[int, float]:
    """Returns the true means of the candidates that were measured, by level."""
    return {
        row.level: float(world.means[world.cell(Member(row.setting, row.level, row.replicate))])
        for row in record.claimed(Phase.MEASURING)
    }


def compare(
    setups: Sequence[Setup], runs: int, seed: int = 0, processes: int = 1
) -> Iterator[list[Row]]:
    """Yields every setup's rows, one a margin and patience, in the setups' order.

    Run i has the same seed in every setup, so policies meet the same luck. The same
    for any number of processes.

    Args:
        setups: What to run.
        runs: Runs a row.
        seed: Everything random follows from it.
        processes: Real ones, for speed.

    Raises:
        TunerError: As `Setup.check` does, before anything runs.
        RuntimeError: A policy doesn't end.
    """
    for setup in setups:
        setup.check()
    seeds = [seed_of(seed, "run", i) for i in range(runs)]
    size = min(CHUNK, -(-runs // processes))
    chunks = [seeds[i : i + size] for i in range(0, runs, size)]
    work = [(setup, chunk) for setup in setups for chunk in chunks]
    if processes == 1:
        yield from _rows(setups, len(chunks), map(_play_chunk, work))
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from _rows(setups, len(chunks), pool.map(_play_chunk, work))


def _play_chunk(work: tuple[Setup, list[int]]) -> list[list[Played]]:
    setup, seeds = work
    return [play(setup, seed) for seed in seeds]


def _rows(
    setups: Sequence[Setup], chunks: int, done: Iterator[list[list[Played]]]
) -> Iterator[list[Row]]:
    for setup in setups:
        ladder = setup.world().levels
        by_run = [played for chunk in itertools.islice(done, chunks) for played in chunk]
        asked = itertools.product(setup.margins, setup.patiences)
        yield [
            Row(setup, margin, patience, ladder, tuple(run[i] for run in by_run))
            for i, (margin, patience) in enumerate(asked)
        ]
