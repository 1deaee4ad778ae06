"""Who makes a call."""

from __future__ import annotations

from services.coordinator.api.interceptor import Context
from tuner.wire.caller import user_from_wire


def who(context: Context) -> str:
    """Returns the name by which jobs and the audit log know the caller."""
    return user_from_wire(context.invocation_metadata())
