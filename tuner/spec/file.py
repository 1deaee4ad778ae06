"""A spec's file: read, and what it names beside it found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tuner.errors import Status, TunerError


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


def bad_file(path: Path, problem: str) -> TunerError:
    """Returns what is raised of a file that holds no spec."""
    return TunerError(Status.INVALID_ARGUMENT, "BAD_SPEC_FILE", f"{path} {problem}")
