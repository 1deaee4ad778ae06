"""Who makes the call that is being answered, once that is proved."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from tuner.access import ALL, Role


@dataclass(frozen=True)
class Caller:
    """Who calls, and what they may do.

    Attributes:
        subject: The name by which jobs and the audit log know them.
        token: The id of the token that they showed; empty for the root token and for runners.
        grants: Their roles by namespace; ALL is every one.
    """

    subject: str
    token: str = ""
    grants: Mapping[str, Role] = field(default_factory=dict)

    def role_in(self, namespace: str) -> Role | None:
        """Returns the role that they have in a namespace; ALL asks for their role everywhere."""
        roles = [role for place, role in self.grants.items() if place in (ALL, namespace)]
        return max(roles, key=list(Role).index, default=None)

    def has(self, role: Role, namespace: str) -> bool:
        """Tells whether they may do in a namespace what the role may."""
        own = self.role_in(namespace)
        return own is not None and own.covers(role)

    def somewhere(self, role: Role) -> bool:
        """Tells whether there is a namespace in which they may do what the role may."""
        return any(own.covers(role) for own in self.grants.values())

    def namespaces(self, role: Role = Role.VIEWER) -> set[str] | None:
        """Returns the namespaces in which they may do what the role may; None for all."""
        named = {place for place, own in self.grants.items() if own.covers(role)}
        return None if ALL in named else named


NOBODY = Caller("")
"""Whose token proved nothing, or wasn't asked for."""

calling: ContextVar[Caller] = ContextVar("calling")
"""The caller of the call that this task answers. The gate sets it before the call is answered."""
