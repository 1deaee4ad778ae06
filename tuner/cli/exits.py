"""What the command's exit codes mean, and how errors are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from tuner.cli.console import say, talk
from tuner.errors import Status, TunerError

if TYPE_CHECKING:
    from tuner.jobs import JobState

SUCCEEDED = 0
FAILED = 1
USAGE = 2
CANCELLED = 3
INTERRUPTED = 130
"""Ctrl-C where it ends the command and not the job, as shells have it (128 + SIGINT)."""


class Commands(TyperGroup):
    """Commands that tell a `TunerError` in plain words and end with its code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except TunerError as error:
            tell(error)
            raise typer.Exit(USAGE if error.status is Status.INVALID_ARGUMENT else FAILED) from None


def tell(error: TunerError) -> None:
    """Prints the error: its message, then every field at fault."""
    talk().print(
        f"error: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True
    )
    for violation in error.violations:
        say(f"  {violation.field}: {violation.problem}")


def code_of(state: JobState) -> int:
    """Returns the exit code of a command that waited for a job."""
    return {"SUCCEEDED": SUCCEEDED, "CANCELLED": CANCELLED}.get(state.value, FAILED)
