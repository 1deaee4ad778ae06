"""The search that comes after a spot test: the families that are worth it, on their own axes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tuner import catalog
from tuner.report.specs import spec_as_yaml
from tuner.spec import Dataset, JobSpec, Search
from tuner.spec.roots import is_url
from tuner.spot import words
from tuner.spot.findings import Decision, Family, Findings


def following(findings: Findings) -> JobSpec | None:
    """Returns the spec of the real search; None where no family is worth one.

    Each is searched along its usual axis on the usual ladder, tuned at every level, on all
    the data: what the spot test left out.
    """
    worth = findings.decided(Decision.WORTH)
    if not worth:
        return None
    spot = findings.spec
    return JobSpec(
        name=f"after {spot.name}"[:100],
        dataset=spot.dataset,
        task=spot.task,
        metric=spot.metric,
        margin=spot.margin,
        seed=spot.seed,
        searches=tuple(Search(family.learner) for family in worth),
    )


def following_as_yaml(findings: Findings, job: str, folder: Path) -> str | None:
    """Returns that spec as a file's text, to be written to a folder.

    What couldn't be told of stands behind it, commented out.

    Args:
        findings: What the spot test found.
        job: Its job, for whoever reads the file later.
        folder: Where the file will be; local data is named from there.
    """
    spec = following(findings)
    if spec is None:
        return None
    dataset = _from(folder, spec.dataset)
    lines = [
        f"# What `tuner spot` found worth a real search; its job was {job}.",
        *(f"# {line}" for line in _told(findings.decided(Decision.WORTH), findings.spec)),
        spec_as_yaml(spec.model_copy(update={"dataset": dataset})).rstrip("\n"),
    ]
    unknown = findings.decided(Decision.UNKNOWN)
    if unknown:
        lines.append("# Nothing could be told of these; take out the # to search them, too:")
        for family, line in zip(unknown, _told(unknown, findings.spec), strict=True):
            lines += [f"# {line}", f"#- {{learner: {family.learner}}}"]
    return "\n".join(lines) + "\n"


def _told(families: Iterable[Family], spec: JobSpec) -> list[str]:
    return [
        f"{family.learner}: {spec.metric} {words.score(family)}: {words.why(family, spec)}"
        for family in families
    ]


def _from(folder: Path, dataset: Dataset) -> Dataset:
    """Returns the data set with its local path as it is named from a folder."""
    kind = catalog.SOURCES[dataset.source].path
    if kind not in ("file", "folder") or is_url(dataset.path):
        return dataset
    path = Path(dataset.path)
    if path.is_absolute() or not path.exists():
        return dataset
    return dataset.model_copy(update={"path": os.path.relpath(path, folder)})
