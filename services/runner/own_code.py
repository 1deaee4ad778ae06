"""Learners and metrics of the user's own: unpacked, made importable here and on the workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner import catalog, own_code
from tuner.datasets.base import DataError
from tuner.datasets.folder import unpack
from tuner.learners import registry
from tuner.own_code import OwnCodeError
from tuner.spec import JobSpec, Search
from tuner.spec.own import is_own
from tuner.wire.catalog import learner_to_wire


@contextmanager
def brought(spec: JobSpec, fetch: Callable[[str], bytes]) -> Iterator[dict[str, Any] | None]:
    """Unpacks the code that a job brings, and lets it be imported as long as this lasts.

    Yields:
        Ray's runtime environment, by which its workers get the same folder as their working
        folder; None where the job brings no code.

    Raises:
        OwnCodeError: The archive holds something else than plain files, or a module that
            would stand for one that is installed.
        TunerError: It can't be fetched.
    """
    if spec.code is None or spec.code.archive is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tuner-code-") as name:
        folder = Path(name)
        content = fetch(spec.code.archive.sha256)
        try:
            unpack(content, folder, "the archive")
        except DataError as error:
            raise OwnCodeError(str(error)) from error
        # Workers have it in front of what is installed.
        if problem := own_code.clash(folder):
            raise OwnCodeError(problem)
        with own_code.importable(folder):
            yield {"working_dir": name}


def described(spec: JobSpec, refused: Mapping[str, str]) -> JobSpec:
    """Returns the spec in which own learners are described by their classes, and not by the wire.

    How ranges move with capacity, and what trains together, isn't told over the wire.

    Args:
        spec: The job's spec.
        refused: By search, why its code can't be used: these stay as they are.
    """
    searches = tuple(
        search.model_copy(update={"entry": registry.get(search.learner).entry})
        if is_own(search.learner) and search.key not in refused
        else search
        for search in spec.searches
    )
    return spec.model_copy(update={"searches": searches})


def metrics(spec: JobSpec) -> tuple[str, ...]:
    """Returns the job's own metrics that can be asked; the others' searches are refused."""
    return tuple(name for name in spec.own_metrics if _problem_with(name) is None)


def refusals(spec: JobSpec) -> dict[str, str]:
    """Returns, by search, why its own learner or metric can't be used."""
    found = {}
    for search in spec.all_searches():
        try:
            _judge(search)
        except OwnCodeError as error:
            found[search.key] = str(error)
    return found


def _judge(search: Search) -> None:
    """Raises OwnCodeError unless the search's code is what the spec says."""
    if search.entry is not None and is_own(search.learner):
        said = registry.get(search.learner).entry
        if learner_to_wire(said) != learner_to_wire(search.entry):
            raise OwnCodeError(
                f"{search.learner} says other axes or hyperparameters of itself than the job does; "
                "submit the job again with the code as it is"
            )
    metric, _ = catalog.split_metric(search.metric)
    if is_own(metric) and (problem := _problem_with(metric)):
        raise OwnCodeError(problem)


def _problem_with(metric: str) -> str | None:
    """Says why a metric of the user's own can't be asked, or None."""
    try:
        found = own_code.load(metric)
    except OwnCodeError as error:
        return str(error)
    if not callable(found):
        return f"{metric} is no function; a metric is called with the truth and what was predicted"
    return None
