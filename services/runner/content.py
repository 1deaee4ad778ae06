"""The job's data: found, fetched, loaded and judged before anything is planned."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tuner import catalog
from tuner.datasets import registry as sources
from tuner.datasets.base import Data, DataError, Request
from tuner.learners import registry as learners
from tuner.spec import Dataset, JobSpec


def load(dataset: Dataset, data_roots: Sequence[str], fetch: Callable[[str], bytes]) -> Data:
    """Loads the data set.

    Args:
        dataset: What the spec says of it.
        data_roots: Folders below which paths of the cluster may be read.
        fetch: Returns an uploaded file by its SHA-256.

    Raises:
        DataError: It can't be read, makes no sense, or lies outside of the roots.
    """
    if dataset.files:
        with tempfile.TemporaryDirectory(prefix="tuner-data-") as folder:
            files = {}
            for file in dataset.files:
                files[file.name] = Path(folder) / file.name
                files[file.name].write_bytes(fetch(file.sha256))
            return sources.load(dataset.source, Request(files=files))
    if catalog.SOURCES[dataset.source].path == "none":
        return sources.load(dataset.source)
    return sources.load(dataset.source, Request(_below_a_root(dataset.path, data_roots)))


def _below_a_root(path: str, data_roots: Sequence[str]) -> Path:
    """Returns the path with its links resolved, so that none leads out of the roots."""
    resolved = Path(path).resolve()
    if not any(resolved.is_relative_to(Path(root).resolve()) for root in data_roots):
        raise DataError(
            f"{path} is not below one of the cluster's data roots "
            f"({', '.join(data_roots) or 'there are none'})"
        )
    return resolved


def refusals(spec: JobSpec, data: Data) -> dict[str, str]:
    """Returns, by search, why its learner can't learn from this data."""
    found = {}
    for search in spec.all_searches():
        problem = learners.get(search.learner).problem_with(data.x, len(data.classes))
        if problem:
            found[search.key] = f"{search.learner} can't learn from this data: {problem}"
    return found
