"""What the options of an analysis say, from their text."""

from __future__ import annotations

import re

from tuner.errors import invalid

_NUMBER = re.compile(r"\s*(\d*\.?\d+(?:[eE][-+]?\d+)?|\d+\.)\s*(pp)?\s*")


def parse_margin(text: str) -> float:
    """Returns the margin; percentage points ("0.5pp") as a share.

    Raises:
        TunerError: INVALID_ARGUMENT where it is neither.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise invalid(
            "--margin", f"{text!r} is no margin; give a number from 0 up, such as 0.02 or 0.5pp"
        )
    return float(match[1]) / (100 if match[2] else 1)


def parse_worth(text: str) -> tuple[float, float]:
    """Returns the gain and the cost that it is worth.

    Raises:
        TunerError: INVALID_ARGUMENT where they aren't two numbers above 0.
    """
    gain, _, spent = text.partition("=")
    parts = [_NUMBER.fullmatch(part) for part in (gain, spent)]
    if parts[0] is None or parts[1] is None or parts[1][2]:
        raise invalid("--worth", f"{text!r} is no price; give GAIN=COST, such as 0.01=40 or 1pp=40")
    return parse_margin(gain), float(spent)


def parse_break(text: str) -> tuple[float, float, str]:
    """Returns two neighbouring levels and what changes between them. Raises TunerError."""
    match = re.fullmatch(r"([\d.]+):([\d.]+)(?:=(.*))?", text)
    try:
        return (float(match[1]), float(match[2]), match[3] or "") if match else _no_break(text)
    except ValueError:
        return _no_break(text)


def _no_break(text: str) -> tuple[float, float, str]:
    raise invalid("--break", f"{text!r} is no break; give two levels and what changes: 34:50=block")


def parse_sizes(text: str) -> tuple[int, int]:
    """Returns examples in each test part and each training part. Raises TunerError."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if match is None:
        raise invalid("--resampled", f"{text!r} is not TEST:TRAIN, such as 50:450")
    return int(match[1]), int(match[2])


def parse_ladder(text: str) -> list[float]:
    """Returns the declared levels. Raises TunerError."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise invalid("--ladder", f"{text!r} is no ladder; give levels, such as 1,2,4") from None


def parse_condition(text: str) -> tuple[str, str]:
    """Returns a column and the value that it must have. Raises TunerError."""
    column, equals, value = text.partition("=")
    if not equals:
        raise invalid("--where", f"{text!r} is no condition; give COLUMN=VALUE")
    return column, value.strip()
