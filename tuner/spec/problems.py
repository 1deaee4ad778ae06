"""What is wrong with a spec, as fields and sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pydantic

from tuner.errors import Status, TunerError, Violation


class Problems(ValueError):
    """Several fields of one part are wrong at once."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.problem}" for v in violations))
        self.violations = violations


def spec_error(error: pydantic.ValidationError) -> TunerError:
    """Returns pydantic's error as ours: a path and a sentence for every field at fault."""
    violations: list[Violation] = []
    items = error.errors(include_url=False)
    paths = [_path(item["loc"]) for item in items]
    for path, item in zip(paths, items, strict=True):
        if item["type"] == "too_short" and any(p.startswith(f"{path}[") for p in paths):
            continue  # not too few: the items that were given are at fault, and listed
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, Problems):
            violations += [Violation(_joined(path, v.field), v.problem) for v in cause.violations]
        else:
            violations.append(Violation(path or "spec", _sentence(item)))
    return TunerError(
        Status.INVALID_ARGUMENT, "INVALID_SPEC", "the job spec is not valid", violations
    )


def _joined(path: str, field: str) -> str:
    return path + field if not path or field.startswith("[") else f"{path}.{field}"


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith(("function-", "tagged-union", "Fixed", "Between", "Choices")):
            path += f".{part}" if path else part
    return path


def _sentence(item: Mapping[str, Any]) -> str:
    given = item["input"]
    shown = "" if isinstance(given, Mapping | list | tuple) else f" (was {given!r})"
    if item["type"] == "extra_forbidden":
        return "there is no such field; check its spelling or leave it out"
    if item["type"] == "missing":
        return "is missing; it must be given"
    message = str(item["msg"]).removeprefix("Value error, ")
    if isinstance(given, float) and not math.isfinite(given):
        message = "must be a finite number"
    return message + shown
