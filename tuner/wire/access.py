"""Tokens and the audit log over protobuf, both ways."""

from __future__ import annotations

from collections.abc import Iterable

from tuner.access import ALL, AuditEntry, Role, Token
from tuner.errors import invalid
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import namespace_name, parse_parent, parse_token_name, token_name
from tuner.wire.record import time_from_wire, time_to_wire

_ROLES = {
    Role.VIEWER: pb.ROLE_VIEWER,
    Role.SUBMITTER: pb.ROLE_SUBMITTER,
    Role.OPERATOR: pb.ROLE_OPERATOR,
}
_OF_WIRE = {number: role for role, number in _ROLES.items()}


def grants_to_wire(grants: Iterable[tuple[str, Role]]) -> list[pb.Grant]:
    """Returns roles by namespace as messages."""
    return [pb.Grant(namespace=namespace_name(place), role=_ROLES[role]) for place, role in grants]


def grants_from_wire(messages: Iterable[pb.Grant], field: str = "grants") -> dict[str, Role]:
    """Returns roles by namespace.

    Raises:
        TunerError: INVALID_ARGUMENT where one names no namespace or no role, or a namespace is
            there twice.
    """
    grants: dict[str, Role] = {}
    for index, message in enumerate(messages):
        at = f"{field}[{index}]"
        namespace = parse_parent(message.namespace, f"{at}.namespace") or ALL
        role = _OF_WIRE.get(message.role)
        if role is None:
            raise invalid(f"{at}.role", f"is none; give {', '.join(map(str.lower, Role))}")
        if namespace in grants:
            raise invalid(f"{at}.namespace", f"{message.namespace!r} is there twice")
        grants[namespace] = role
    return grants


def token_to_wire(token: Token) -> pb.Token:
    """Returns a token as a message."""
    return pb.Token(
        name=token_name(token.id),
        subject=token.subject,
        grants=grants_to_wire(token.grants.items()),
        created_by=token.created_by,
        create_time=time_to_wire(token.create_time),
        expire_time=time_to_wire(token.expire_time),
        revoke_time=time_to_wire(token.revoke_time),
    )


def token_from_wire(message: pb.Token) -> Token:
    """Returns the token of a message. A role that isn't known here is left out."""
    return Token(
        id=parse_token_name(message.name),
        subject=message.subject,
        grants={
            grant.namespace.removeprefix("namespaces/"): _OF_WIRE[grant.role]
            for grant in message.grants
            if grant.role in _OF_WIRE
        },
        created_by=message.created_by,
        create_time=time_from_wire(message, "create_time"),
        expire_time=time_from_wire(message, "expire_time"),
        revoke_time=time_from_wire(message, "revoke_time"),
    )


def entry_to_wire(entry: AuditEntry) -> pb.AuditEntry:
    """Returns an entry of the audit log as a message."""
    return pb.AuditEntry(
        time=time_to_wire(entry.time),
        subject=entry.subject,
        token=entry.token,
        method=entry.method,
        resource=entry.resource,
        status=entry.status,
        reason=entry.reason,
        peer=entry.peer,
    )


def entry_from_wire(message: pb.AuditEntry) -> AuditEntry:
    """Returns the entry of a message."""
    parts = message.resource.split("/")
    return AuditEntry(
        subject=message.subject,
        token=message.token,
        method=message.method,
        namespace=parts[1] if parts[0] == "namespaces" and len(parts) > 1 else "",
        resource=message.resource,
        status=message.status,
        reason=message.reason,
        peer=message.peer,
        time=time_from_wire(message, "time"),
    )
