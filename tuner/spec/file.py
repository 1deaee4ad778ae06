"""A spec's file: read, and what it names beside it found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tuner import catalog
from tuner.errors import Status, TunerError

if TYPE_CHECKING:
    from tuner.spec.job import JobSpec
    from tuner.spec.search import Search


def read(path: Path) -> dict[str, Any]:
    """Returns the mapping that a YAML or JSON file holds.

    Raises:
        TunerError: INVALID_ARGUMENT where it can't be read or holds none.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise bad_file(path, f"can't be read: {error}") from error
    except yaml.YAMLError as error:
        raise bad_file(path, f"is not YAML or JSON: {error}") from error
    if not isinstance(data, dict):
        raise bad_file(path, "must hold a mapping with at least `dataset` and `searches`")
    return data


def of_one_job(path: Path, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what a file holds. Raises TunerError, INVALID_ARGUMENT, where it is several jobs."""
    if "jobs" in data:
        raise bad_file(
            path,
            "holds several jobs, and one is asked for; `tuner run`, `tuner submit` and `tuner "
            "validate` take them all, and in Python `tuner.read_jobs(path)` gives a spec for each",
        )
    return data


def beside(path: Path, named: str) -> str:
    """Returns where a relative path leads from the spec file's folder; "" where nowhere."""
    local = path.parent / named
    try:
        there = bool(named) and not Path(named).is_absolute() and local.exists()
    except OSError:  # a name that no file can have
        there = False
    return str(local) if there else ""


def with_code_beside(path: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a spec's plain data with its folder of code found from the file's folder."""
    code = data.get("code")
    named = code.get("folder") if isinstance(code, dict) else code
    local = beside(path, named) if isinstance(named, str) else ""
    return {**data, "code": {"folder": local}} if local else dict(data)


def with_paths_beside(path: Path, spec: JobSpec) -> JobSpec:
    """Returns a spec with its data and the models it starts from found from the file's folder."""
    kind = catalog.SOURCES[spec.dataset.source].path
    if kind in ("file", "folder") and (local := beside(path, spec.dataset.path)):
        dataset = spec.dataset.model_copy(update={"path": local})
        spec = spec.model_copy(update={"dataset": dataset})
    searches = tuple(_with_model_beside(path, search) for search in spec.searches)
    return spec.model_copy(update={"searches": searches})


def _with_model_beside(path: Path, search: Search) -> Search:
    if search.model is None or not (local := beside(path, search.model.folder)):
        return search
    return search.model_copy(update={"model": search.model.model_copy(update={"folder": local})})


def bad_file(path: Path, problem: str) -> TunerError:
    """Returns what is raised of a file that holds no spec."""
    return TunerError(Status.INVALID_ARGUMENT, "BAD_SPEC_FILE", f"{path} {problem}")
