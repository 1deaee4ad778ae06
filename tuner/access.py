"""Who may do what, and who did, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

ALL = "-"
"""Stands for every namespace."""

API_TOKEN = "tnr_"
"""What the secret of every API token begins with; a coordinator's own token doesn't."""


class Role(StrEnum):
    """What a token may do in a namespace; each may do all that the one before may."""

    VIEWER = "VIEWER"
    SUBMITTER = "SUBMITTER"
    OPERATOR = "OPERATOR"

    def covers(self, other: Role) -> bool:
        """Whether who has this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Token:
    """What proves who asks. Its secret isn't kept anywhere.

    Attributes:
        id: The last part of its name, "tokens/{id}".
        subject: Whose it is.
        grants: Its roles by namespace; ALL is every one.
        created_by: Who made it.
        create_time: When.
        expire_time: When it ends; None for never.
        revoke_time: When it was ended; None where it wasn't.
    """

    id: str
    subject: str
    grants: Mapping[str, Role] = field(default_factory=dict)
    created_by: str = ""
    create_time: datetime | None = None
    expire_time: datetime | None = None
    revoke_time: datetime | None = None


@dataclass(frozen=True)
class AuditEntry:
    """One call that changed something, or was refused.

    Attributes:
        subject: Who called.
        token: The id of the token that was shown; empty for the coordinator's own.
        method: The call, such as "CreateJob".
        namespace: The namespace that it was about; empty where it was about none.
        resource: What it was about, such as a job's name.
        status: The gRPC status, "OK" where it was done.
        reason: Why it was refused; empty where it wasn't.
        peer: The caller's address.
        time: When; None before it is kept.
    """

    subject: str
    token: str
    method: str
    namespace: str
    resource: str
    status: str
    reason: str = ""
    peer: str = ""
    time: datetime | None = None
