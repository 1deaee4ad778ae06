"""The job's data: found, fetched, loaded and judged before anything is planned."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tuner import catalog
from tuner.catalog import Task
from tuner.datasets import registry as sources
from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.download import download
from tuner.datasets.splits import Splits
from tuner.learners import registry as learners
from tuner.learners.base import Learner
from tuner.own_code import OwnCodeError
from tuner.spec import Dataset, JobSpec
from tuner.spec.conditions import check_conditions
from tuner.spec.roots import is_below, is_url, problem_with_url


def load(
    dataset: Dataset,
    data_roots: Sequence[str],
    fetch: Callable[[str], bytes],
    task: Task = "classification",
) -> Data:
    """Loads the data set.

    Args:
        dataset: What the spec says of it.
        data_roots: Folders and addresses below which data of the cluster may be read.
        fetch: Returns an uploaded file by its SHA-256.
        task: What shall be predicted.

    Raises:
        DataError: It can't be read, makes no sense, or lies outside of the roots.
    """
    asked, kind = Request(options=dataset.options, task=task), catalog.SOURCES[dataset.source].path
    if kind in ("none", "name"):
        return sources.load(dataset.source, replace(asked, name=dataset.path))
    if not dataset.files and not is_url(dataset.path):
        path = _below_a_root(dataset.path, data_roots)
        return sources.load(dataset.source, replace(asked, path=path))
    with tempfile.TemporaryDirectory(prefix="tuner-data-") as folder:
        if dataset.files:
            asked = replace(asked, files=_fetched(dataset, fetch, Path(folder)))
        else:
            file = Path(folder) / "file"
            download(_judged_url(dataset.path, kind, data_roots), file)
            asked = replace(asked, path=file, name=dataset.path)
        return sources.load(dataset.source, asked)


def _fetched(dataset: Dataset, fetch: Callable[[str], bytes], folder: Path) -> dict[str, Path]:
    """Returns the uploaded files by the names that they had at their owner's."""
    files = {}
    for number, file in enumerate(dataset.files):
        # Under names of our own: theirs may hold folders, and are only text here.
        files[file.name] = folder / str(number)
        files[file.name].write_bytes(fetch(file.sha256))
    return files


def _judged_url(url: str, kind: str, data_roots: Sequence[str]) -> str:
    """Returns the address. Raises DataError unless it is a file's below a root."""
    if problem := problem_with_url(url):
        raise DataError(f"{url} {problem}")
    if kind != "file":
        raise DataError(f"{url} is an address; a folder is read where it is, or uploaded")
    if not is_below(url, data_roots):
        raise DataError(_outside(url, data_roots))
    return url


def _below_a_root(path: str, data_roots: Sequence[str]) -> Path:
    """Returns the path with its links resolved, so that none leads out of the roots."""
    if not is_below(path, data_roots):
        raise DataError(_outside(path, data_roots))
    return Path(path).resolve()


def _outside(path: str, data_roots: Sequence[str]) -> str:
    roots = ", ".join(data_roots) or "there are none"
    return f"{path} is not below one of the cluster's data roots ({roots})"


def refusals(spec: JobSpec, data: Data) -> dict[str, str]:
    """Returns, by search, why its learner can't learn from this data.

    Raises:
        DataError: The data can't be divided as the spec says, or a condition can't be of it.
    """
    _judge_conditions(spec, data)
    splits = Splits(data, spec.split, spec.seed)
    held = splits.train_size(spec.measuring.max_replicates)
    found = {}
    for search in spec.all_searches():
        try:
            learner = learners.get(search.learner)
        except OwnCodeError as error:
            found[search.key] = str(error)
            continue
        problem = _problem(learner, data)
        if spec.task not in learner.entry.tasks:
            problem = f"it predicts no {'numbers' if spec.task == 'regression' else 'classes'}"
        elif search.axis == catalog.SAMPLES.name and max(search.levels) > held:
            problem = (
                f"levels go up to {max(search.levels):,} samples, but a measuring replicate trains "
                f"on {held:,}: of {splits.rest_size:,} examples outside the test the share "
                f"split.train_fraction, {spec.split.train_fraction:g}; give levels up to {held}"
            )
        if problem:
            found[search.key] = f"{search.learner} can't learn from this data: {problem}"
    return found


def _judge_conditions(spec: JobSpec, data: Data) -> None:
    """Judges what the spec couldn't, where only the data tells whether it is images or a table."""
    inputs: catalog.Inputs = "images" if data.x.ndim == 4 else "tables"
    found = check_conditions(
        spec.searches, spec.baseline_search, spec.robustness, inputs, spec.task
    )
    problems = [f"{wrong.field}: {wrong.problem}" for wrong in found]
    for condition in map(catalog.Condition.parse, spec.all_conditions()):
        side = min(data.x.shape[2:], default=0)
        if inputs == "images" and condition.perturbation == "shift" and condition.strength >= side:
            problems.append(
                f"{condition.name} moves images of {data.x.shape[2]} x {data.x.shape[3]} pixels "
                f"out of sight; give at most shift:{side - 1}"
            )
    if problems:
        raise DataError("; ".join(problems))


def _problem(learner: Learner, data: Data) -> str | None:
    try:
        return learner.problem_with(data.x, len(data.classes))
    except Exception as error:  # noqa: BLE001 - a user's own may raise anything
        return f"asked whether it can, it raised {type(error).__name__}: {error}"
