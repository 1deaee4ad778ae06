"""The card beside an exported model: what it is, and how it was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.catalog import SAMPLES
from tuner.curve import Curve, CurveLevel
from tuner.jobs import JobStatus
from tuner.record import Measurement
from tuner.report import naming
from tuner.report.markdown import section
from tuner.spec import JobSpec


def card(
    job: JobStatus, curve: Curve, row: CurveLevel, fitted: Measurement, notes: Sequence[str]
) -> str:
    """Returns the card as Markdown.

    Args:
        job: The job that chose the model.
        curve: The curve of the search in it.
        row: The level that was fitted once more.
        fitted: How that fit went.
        notes: What else to tell.
    """
    spec = job.spec
    sized = curve.axis and curve.axis != SAMPLES.name
    where = f" at {curve.axis} {naming.level(row.level)}" if sized else ""
    lines = [
        f"# {curve.learner}{where}",
        "",
        f"Fitted once more on all the training data of `{spec.dataset}` by the hyperparameters "
        f"that job `{job.id}` chose. The test took no part, neither in choosing nor in fitting.",
        "",
        *_settings(row),
        "## How it does",
        "",
        *_scores(curve, row, fitted),
        "",
        "## How it was chosen",
        "",
        *_chosen(spec, curve, row),
        "",
        *section(curve),
        "",
        "## How to use it",
        "",
        "```python",
        "from pathlib import Path",
        "",
        "from tuner.learners import saved",
        "",
        'model = saved.load(Path("."))  # this folder; nothing in it is run',
        "predictions = model.predict(x)  # float32: a row an example, or images in 0..1",
        "```",
        "",
        "`model.json` names features and classes in their order, and what fills missing cells.",
    ]
    if notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _settings(row: CurveLevel) -> list[str]:
    if not row.setting:
        return []
    rows = [
        f"| {name} | {value:.4g} |" if isinstance(value, float) else f"| {name} | {value} |"
        for name, value in row.setting
    ]
    return ["| hyperparameter | value |", "|---|---:|", *rows, ""]


def _scores(curve: Curve, row: CurveLevel, fitted: Measurement) -> list[str]:
    own = fitted.scores.get(curve.metric)
    scores = (f"{name} {naming.number(value)}" for name, value in sorted(fitted.scores.items()))
    lines = [f"On the test, this fit: {', '.join(scores)}."]
    if row.score is not None:
        then = "Expect that of another fit, not what the best of them had."
        if curve.axis == SAMPLES.name:
            then = f"They had {naming.level(row.level)} examples each; this fit had all."
        lines.append(
            f"Its {row.replicates} replicates, each fitted on a part of the training data: "
            f"{curve.metric} {naming.number(row.score)}, interval "
            f"{naming.interval(row.low, row.high)}. {then}"
        )
    if own is None:
        lines.append(f"Of {curve.metric} it has no score.")
    return lines


def _chosen(spec: JobSpec, curve: Curve, row: CurveLevel) -> list[str]:
    verdict = curve.verdict
    lines = []
    if verdict is not None and verdict.level == row.level:
        lines.append("It is the smallest level that the verdict calls enough.")
    elif curve.axis:
        lines.append("**It was asked for by its level**: the verdict names no such level.")
    rule = f"margin {curve.margin:g} a doubling" if not curve.price else curve.worth
    lines.append(
        f"Tuned on {spec.tuning.trials} trials a level ({spec.tuning.sampler}), judged on "
        f"{curve.metric}, {rule}, alpha {curve.alpha:g}, patience {spec.patience}."
    )
    return lines
