"""Who makes a call, and what they may see."""

from __future__ import annotations

from services.coordinator.access.caller import Caller, calling
from services.coordinator.api.interceptor import Context
from tuner.access import Role


def caller_of(context: Context) -> Caller:
    """Returns who makes the call that this task answers."""
    return calling.get()


def who(context: Context) -> str:
    """Returns the name by which jobs and the audit log know the caller."""
    return calling.get().subject


def visible(context: Context, role: Role = Role.VIEWER) -> set[str] | None:
    """Returns the namespaces in which the caller has the role, or a greater one; None for all."""
    return calling.get().namespaces(role)
