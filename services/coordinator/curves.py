"""Curves and comparisons of the record, computed in processes of their own and kept a while."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import TypeVar

import structlog

from services.coordinator.artifacts import Artifacts
from services.coordinator.asked import Other
from services.coordinator.rescoring import (
    LackingError,
    by_example,
    chosen_rows,
    over_examples,
    rescored,
)
from services.coordinator.rows_kept import RowsKept
from services.coordinator.store.base import Store
from services.coordinator.store.rows import JobRow
from tuner import returns
from tuner.curve import Curve, LearnerComparison, Question
from tuner.errors import Status, TunerError
from tuner.jobs import SearchStatus
from tuner.record import Measurement, Phase
from tuner.returns.curves import beside_training
from tuner.wire.artifacts import TRUTH
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

WORKERS = 2
MAX_KEPT = 512
# How often the record is read again where it grew between the reads.
_READS = 3

_Key = tuple[JobName, str, int, str, Other | None]
_ComparisonKey = tuple[JobName, str, bool, int, str]
_Answer = TypeVar("_Answer")
_Kept = TypeVar("_Kept")


def _begin() -> None:
    """Prepares a worker: it leaves signals to the server, and never outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    multiprocessing.connection.wait([parent])
    os._exit(0)


def _compute(
    question: Question,
    measurements: Sequence[Measurement],
    search: SearchStatus,
    billed: Mapping[int, float],
    sequence: int,
) -> Curve:
    return returns.curve(
        question,
        measurements,
        state=search.state,
        state_reason=search.reason,
        billed=billed,
        sequence=sequence,
    )


def _compute_other(
    question: Question,
    other: Other,
    measurements: Sequence[Measurement],
    artifacts: Artifacts,
    truth: str,
    search: SearchStatus,
    billed: Mapping[int, float],
    sequence: int,
) -> Curve:
    rows = chosen_rows(question, measurements, other.condition)
    asked = other.question(question)
    if other.predicted(question):
        rows = rescored(rows, asked.metric, artifacts, truth)
    if other.examples:
        winners = [row for row in rows if row.phase is Phase.MEASURING]
        values, groups = by_example(winners, asked.metric, artifacts, truth)
        curve = over_examples(asked, winners, values, groups, search, billed, sequence)
    else:
        curve = _compute(asked, rows, search, billed, sequence)
    curve = _with_all_spent(curve, measurements)
    note = other.note(question)
    return replace(curve, notes=(note, *curve.notes)) if note else curve


def _with_all_spent(curve: Curve, measurements: Sequence[Measurement]) -> Curve:
    """Returns the curve with what went to conditions over all of the search's rows."""
    spent = beside_training(measurements)
    levels = (
        replace(row, robustness_device_seconds=spent.get(int(row.level), 0.0))
        for row in curve.levels
    )
    return replace(curve, levels=tuple(levels))


def _compare(
    questions: Sequence[Question],
    measurements: Sequence[Measurement],
    metric: str,
    margin: float,
    rope: bool,
) -> LearnerComparison | None:
    return returns.compare_record(questions, measurements, metric=metric, margin=margin, rope=rope)


class Curves:
    """Makes curves and comparisons. They follow from the record: none is ever out of date."""

    def __init__(self, store: Store, artifacts: Artifacts) -> None:
        """Starts no process before the first curve is asked for."""
        self._store = store
        self._artifacts = artifacts
        self._rows = RowsKept(store)
        self._underway: dict[_Key, asyncio.Task[Curve]] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._kept: OrderedDict[_Key, Curve] = OrderedDict()
        self._compared: OrderedDict[_ComparisonKey, LearnerComparison | None] = OrderedDict()

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def curve(self, job: JobRow, key: str, other: Other | None = None) -> Curve:
        """Returns the curve of one search, from the record as it stands now.

        Args:
            job: The job.
            key: The search's key.
            other: What to ask instead of what the search asked, if anything.

        Raises:
            NotFoundError: There is no such job.
            TunerError: FAILED_PRECONDITION where predictions that another metric needs
                aren't there.
        """
        if other is not None and other.nothing_else(job.spec.question(key)):
            other = None
        version = returns.ANALYSIS_VERSION
        wanted = (job.name, key, job.last_sequence, version, other)
        if wanted in self._kept:
            self._kept.move_to_end(wanted)
            return self._kept[wanted]
        made = self._underway.get(wanted)
        if made is None:
            made = self._underway[wanted] = asyncio.create_task(self._make(job, key, other))
            made.add_done_callback(lambda _task: self._underway.pop(wanted))
        # Who asks for what is being made waits for it; who gives up doesn't end it for others.
        return await asyncio.shield(made)

    async def _make(self, job: JobRow, key: str, other: Other | None) -> Curve:
        version = returns.ANALYSIS_VERSION
        job, question, measurements, billed = await asyncio.to_thread(self._read, job, key)
        search = next(row for row in job.searches if row.key == key)
        told = (search, billed, job.last_sequence)
        if other is None:
            curve = await self._run(_compute, question, measurements, *told)
        else:
            truth = await asyncio.to_thread(self._store.find_artifact, job.name, TRUTH)
            kept = (self._artifacts, truth.sha256 if truth else "")
            try:
                curve = await self._run(_compute_other, question, other, measurements, *kept, *told)
            except LackingError as error:
                raise TunerError(
                    Status.FAILED_PRECONDITION,
                    "PREDICTIONS_MISSING",
                    f"{key} can't be scored by {other.metric_of(question)}: {error}",
                ) from error
        _keep(self._kept, (job.name, key, job.last_sequence, version, other), curve)
        return curve

    async def comparison(self, job: JobRow, metric: str, rope: bool) -> LearnerComparison | None:
        """Returns how the job's searches compare, from the record as it stands now.

        Args:
            job: The job.
            metric: What they are compared on: the catalog's or a search's, or one of those under
                a condition.
            rope: Whether to tell the chance that two differ by less than the margin.

        Returns:
            The comparison; None where fewer than two searches can be compared.

        Raises:
            NotFoundError: There is no such job.
        """
        wanted = (job.name, metric, rope, job.last_sequence, returns.ANALYSIS_VERSION)
        if wanted in self._compared:
            self._compared.move_to_end(wanted)
            return self._compared[wanted]
        # Read after its number: should it have grown, the answer holds a little more.
        measurements, _position = await asyncio.to_thread(self._store.measurements, job.name)
        comparison = None
        if len({row.search for row in measurements}) > 1:
            questions = await asyncio.to_thread(self._questions, job)
            comparison = await self._run(
                _compare, questions, measurements, metric, job.spec.margin, rope
            )
        _keep(self._compared, wanted, comparison)
        return comparison

    def _question(self, job: JobRow, key: str) -> Question:
        """Returns what a search asks; at a price, with the costs that its last step fixed."""
        question = job.spec.question(key)
        if not question.price:
            return question
        fixed = [step.costs for step in self._store.plan(job.name, key) if step.costs]
        return question.with_costs(fixed[-1]) if fixed else question

    def _questions(self, job: JobRow) -> list[Question]:
        return [self._question(job, search.key) for search in job.spec.all_searches()]

    def _read(
        self, job: JobRow, key: str
    ) -> tuple[JobRow, Question, list[Measurement], dict[int, float]]:
        """Reads the record at one sequence.

        While the job keeps growing under the reads, the last ones are taken
        with the sequence before them: the curve then holds all that it says
        and perhaps a little more.
        """
        for _ in range(_READS):
            measurements = self._rows.of(job, key)
            question = self._question(job, key)
            billed = self._store.billed_by_level(job.name)
            after = self._store.get_job(job.name)
            if after.last_sequence == job.last_sequence:
                break
            job = after
        by_level = {level: s for (search, level), s in billed.items() if search == key}
        return job, question, measurements, by_level

    async def _run(self, compute: Callable[..., _Answer], *work: object) -> _Answer:
        loop = asyncio.get_running_loop()
        pool = self._processes()
        try:
            return await loop.run_in_executor(pool, compute, *work)
        except BrokenProcessPool:
            # Several calls may meet the same broken pool; the first replaces it.
            if self._pool is pool:
                log.warning("a process of curves died; trying once more in a new one")
                self.close()
                self._pool = None
            return await loop.run_in_executor(self._processes(), compute, *work)

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Spawned: the server's threads and gRPC don't survive a fork.
            self._pool = ProcessPoolExecutor(
                WORKERS, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
            )
        return self._pool


def _keep(kept: OrderedDict[_Kept, _Answer], key: _Kept, answer: _Answer) -> None:
    kept[key] = answer
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
