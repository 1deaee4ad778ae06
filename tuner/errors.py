"""The one error type of the project, with what a caller needs to react to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What kind of failure it is; each is the gRPC status of the same name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True)
class Violation:
    """What is wrong with one field.

    Attributes:
        field: The field's path, such as "searches[0].levels".
        problem: What was wrong and what would be right.
    """

    field: str
    problem: str


class TunerError(Exception):
    """Something that was asked for can't be had.

    Attributes:
        status: What kind of failure it is.
        reason: A constant for programs, such as "JOB_NOT_FOUND" (AIP-193).
        message: A sentence for people.
        violations: The fields at fault, for INVALID_ARGUMENT.
    """

    def __init__(
        self, status: Status, reason: str, message: str, violations: Sequence[Violation] = ()
    ) -> None:
        """Makes the error; its text lists the violations below the message."""
        self.status = status
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        lines = [message, *(f"  {v.field}: {v.problem}" for v in self.violations)]
        super().__init__("\n".join(lines))

    def renamed(self, name: Callable[[str], str]) -> TunerError:
        """Returns the error with its fields as somebody else calls them.

        Args:
            name: Returns what a field is called there.
        """
        violations = [Violation(name(v.field), v.problem) for v in self.violations]
        return TunerError(self.status, self.reason, self.message, violations)


def invalid(field: str, problem: str, reason: str = "INVALID_FIELD") -> TunerError:
    """Returns the error for one field that is wrong."""
    return TunerError(
        Status.INVALID_ARGUMENT, reason, "the request is not valid", [Violation(field, problem)]
    )
