"""Exports: a level that a job chose, fitted once more on all training data and brought here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner import catalog
from tuner.client.artifacts import artifacts, download
from tuner.client.transport import Transport
from tuner.curve import Curve, CurveLevel
from tuner.errors import Status, TunerError, invalid
from tuner.jobs import JobState, JobStatus
from tuner.report import naming
from tuner.report.card import card
from tuner.spec import Budget, JobSpec, Limits, Refit, Robustness

if TYPE_CHECKING:
    from tuner.client.job import Job


MODEL = "model"
"""What the names of a model's files begin with among those of its job."""

CARD = "card.md"


@dataclass(frozen=True)
class Choice:
    """What is to be fitted once more.

    Attributes:
        job: The job that chose it.
        curve: The curve of its search.
        row: The level.
    """

    job: JobStatus
    curve: Curve
    row: CurveLevel

    @property
    def title(self) -> str:
        """The learner and its level, for people."""
        curve = self.curve
        sized = curve.axis and curve.axis != catalog.SAMPLES.name  # all of them are taken
        where = f" at {curve.axis} {naming.level(self.row.level)}" if sized else ""
        return f"{curve.learner}{where}"

    def spec(self) -> JobSpec:
        """Returns the job that fits it: the same data, splits and resources, and one fit."""
        chosen = self.job
        refit = Refit(
            job=chosen.name,
            search=self.curve.search,
            level=int(self.row.level),
            setting=self.row.setting,
            data_digest=_digest(chosen),
        )
        search = chosen.spec.search(self.curve.search)
        # A refit is not measured: neither under conditions nor against limits.
        search = search.model_copy(update={"conditions": ()})
        changes = {
            "name": f"export of {chosen.id}"[:100],
            "searches": (search,),
            "baseline": None,
            "budget": Budget(),
            "robustness": Robustness(),
            "limits": Limits(),
            "refit": refit,
        }
        return chosen.spec.model_copy(update=changes)


def _digest(job: JobStatus) -> str:
    return job.dataset.digest if job.dataset is not None else ""


def choose(job: Job, search: str, level: int | None = None) -> Choice:
    """Returns what a job chose.

    Args:
        job: The job.
        search: A search's key in it.
        level: The level to be exported; the sufficient one where omitted.

    Raises:
        TunerError: INVALID_ARGUMENT where there is no such search or level;
            FAILED_PRECONDITION where the verdict names no level, or none was measured.
    """
    status = job.refresh()
    keys = [s.key for s in status.spec.all_searches()]
    if search not in keys:
        raise invalid("search", f"{job.id} has no search {search!r}; it has {', '.join(keys)}")
    curve = job.curves().get(search)
    measured = [row for row in curve.levels if row.score is not None] if curve else []
    if curve is None or not measured:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "NOTHING_MEASURED",
            f"{search} of {job.id} has no measured level yet; wait for it",
        )
    shown = ", ".join(f"{row.level:g}" for row in measured)
    wanted: float | None = level
    if wanted is None:
        wanted = measured[0].level if not curve.axis else _sufficient(curve)
    if wanted is None:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "NO_LEVEL_SUFFICES",
            f"the verdict on {search} is {_said(curve)}, which names no level that is enough; "
            f"name one: {shown} were measured",
        )
    for row in measured:
        if row.level == wanted:
            return Choice(status, curve, row)
    raise invalid("level", f"{wanted:g} was not measured in {search}; {shown} were")


def _sufficient(curve: Curve) -> float | None:
    return curve.verdict.level if curve.verdict is not None else None


def _said(curve: Curve) -> str:
    return curve.verdict.outcome.value if curve.verdict is not None else "still open"


class Export:
    """A model on its way: the job that fits it, and what is brought here when it has.

    Made by `Client.export`.

    Attributes:
        choice: What is fitted.
        job: The job that fits it.
    """

    def __init__(self, transport: Transport, choice: Choice, job: Job) -> None:
        self._transport = transport
        self.choice = choice
        self.job = job

    def save(self, folder: str | Path, timeout: float | None = None) -> list[str]:
        """Waits for the fit and saves the model there, with a card of how it was chosen.

        Args:
            folder: An empty folder, or a new one.
            timeout: Seconds to wait at most; None waits for ever.

        Returns:
            The names of the files in it.

        Raises:
            TunerError: INVALID_ARGUMENT where the folder isn't empty; FAILED_PRECONDITION
                where the fit failed; DEADLINE_EXCEEDED where it takes longer.
            OSError: It can't be written there.
        """
        folder = check_folder(folder)
        state = self.job.wait(timeout)
        if state is not JobState.SUCCEEDED:
            raise TunerError(
                Status.FAILED_PRECONDITION,
                "REFIT_FAILED",
                f"{self.job.id}, which was to fit {self.choice.title}, is {state.value.lower()}: "
                f"{self.job.status.reason or 'no reason given'}",
            )
        [fitted] = self.job.measurements()
        names = []
        try:
            for artifact in artifacts(self._transport, self.job.name):
                kind, _, name = artifact.name.partition("/")
                if kind == MODEL:
                    names.append(name)
                    download(self._transport, self.job.name, artifact, folder / name)
        except BaseException:
            # So that the same folder can be named again.
            for name in names:
                (folder / name).unlink(missing_ok=True)
            raise
        told = self.job.status.dataset
        text = card(
            self.choice.job,
            self.choice.curve,
            self.choice.row,
            fitted,
            told.notes if told is not None else (),
        )
        (folder / CARD).write_text(text, encoding="utf-8")
        return [*names, CARD]


def check_folder(folder: str | Path) -> Path:
    """Returns the folder, which is made where it is missing.

    Raises:
        TunerError: INVALID_ARGUMENT, field `folder`, where it holds something or can't be made.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        full = any(path.iterdir())
    except OSError as error:
        raise invalid("folder", f"{path} can't be made ({error.strerror}); name another") from error
    if full:
        raise invalid("folder", f"{path} isn't empty; name one that is, or a new one")
    return path
