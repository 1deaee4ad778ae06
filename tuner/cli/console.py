"""The two consoles: data on stdout, talk on stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 100
"""Columns where there is no terminal to ask."""


def data() -> Console:
    """Returns the console for what a program may read."""
    return _console(sys.stdout)


def talk() -> Console:
    """Returns the console for what only people read."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    width = None if stream.isatty() or os.environ.get("COLUMNS") else PLAIN_WIDTH
    return Console(file=stream, width=width, soft_wrap=False)


def say(text: str) -> None:
    """Prints a line of talk, unwrapped."""
    talk().print(text, markup=False, highlight=False, soft_wrap=True)
