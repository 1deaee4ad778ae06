"""What each call needs, in one table. A call that isn't in it is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from services.coordinator.access.caller import Caller
from services.coordinator.store.log import no_job
from tuner.access import ALL, Role
from tuner.errors import Status, TunerError
from tuner.wire.names import ID, JobName, parse_parent

CLIENT_SERVICE = "tuner.v1.TunerService"
RUNNER_SERVICE = "tuner.v1.RunnerService"

_NAMESPACE = re.compile(rf"namespaces/({ID})(?:/|$)")

LONGEST_NAME = 200
"""Characters of a name, as the audit log keeps it."""


class Scope(Enum):
    """Where a caller must have the role."""

    JOB = auto()  # in the namespace of the job that the field names
    NAMESPACE = auto()  # in the namespace that the field names; in any, where it names all
    ANYWHERE = auto()  # in any namespace
    EVERYWHERE = auto()  # in all namespaces
    ATTEMPT = auto()  # none: the token is that of the attempt which the request names
    CODE = auto()  # none, and no token: what the request holds is the proof


@dataclass(frozen=True)
class Rule:
    """What a call needs.

    Attributes:
        scope: Where the caller must have the role.
        role: The least role; None where every valid token will do.
        field: The field of the (first) request that says what the call is about.
        audited: Whether the audit log has it when it is done, and not only when refused.
        counted: Whether it counts against how many streams a caller may have at once.
    """

    scope: Scope
    role: Role | None = None
    field: str = "name"
    audited: bool = False
    counted: bool = False


def _reads(field: str = "name", *, counted: bool = False) -> Rule:
    return Rule(Scope.JOB, Role.VIEWER, field, counted=counted)


def _acts(role: Role = Role.SUBMITTER) -> Rule:
    return Rule(Scope.JOB, role, audited=True)


def _of_attempt(*, audited: bool = False) -> Rule:
    return Rule(Scope.ATTEMPT, field="attempt.job", audited=audited)


RULES: Mapping[str, Rule] = {
    f"/{service}/{method}": rule
    for service, rules in {
        CLIENT_SERVICE: {
            "CreateJob": Rule(Scope.NAMESPACE, Role.SUBMITTER, "parent", audited=True),
            "GetJob": _reads(),
            "ListJobs": Rule(Scope.NAMESPACE, Role.VIEWER, "parent"),
            "CancelJob": _acts(),
            "PauseJob": _acts(),
            "ResumeJob": _acts(),
            "StopJob": _acts(),
            "ExtendJob": _acts(),
            "DeleteJob": _acts(Role.OPERATOR),
            # Those who watch are bounded by what watching itself allows.
            "WatchJob": _reads(),
            "ListTrials": _reads("parent"),
            "ListMeasurements": _reads("parent"),
            "ListPlanSteps": _reads("parent"),
            "ListCurves": _reads("parent"),
            "CompareSearches": _reads("parent"),
            "ListLearners": Rule(Scope.ANYWHERE, field=""),
            "GetClusterStatus": Rule(Scope.ANYWHERE, field=""),
            "UploadBlob": Rule(
                Scope.ANYWHERE, Role.SUBMITTER, "header.sha256", audited=True, counted=True
            ),
            "TailLogs": _reads(counted=True),
            "ListArtifacts": _reads("parent"),
            "DownloadBlob": _reads(counted=True),
            "GetQueue": Rule(Scope.NAMESPACE, Role.VIEWER, "parent"),
            "ListNamespaces": Rule(Scope.ANYWHERE, Role.VIEWER, ""),
            "UpdateNamespace": Rule(
                Scope.EVERYWHERE, Role.OPERATOR, "namespace.name", audited=True
            ),
            # Which tokens, and with which grants, is judged by the calls themselves.
            "CreateToken": Rule(Scope.ANYWHERE, Role.OPERATOR, "subject", audited=True),
            "ListTokens": Rule(Scope.ANYWHERE, Role.OPERATOR, ""),
            "RevokeToken": Rule(Scope.ANYWHERE, Role.OPERATOR, audited=True),
            "ListAuditEntries": Rule(Scope.NAMESPACE, Role.OPERATOR, "parent"),
        },
        RUNNER_SERVICE: {
            "Enrol": Rule(Scope.CODE, field="job", audited=True),
            # What these write is the job's own record, which says who wrote it.
            "GetAssignment": _of_attempt(),
            "CommitPlanStep": _of_attempt(),
            "RecordMeasurements": _of_attempt(),
            "Heartbeat": _of_attempt(),
            "FinishAttempt": _of_attempt(audited=True),
            "FetchBlob": _of_attempt(),
            "DescribeDataset": _of_attempt(),
            "AttachArtifact": _of_attempt(),
        },
    }.items()
    for method, rule in rules.items()
}


def about(rule: Rule, request: Any) -> str:
    """Returns what a request says that it is about, as the audit log keeps it."""
    return _named(rule, request)[:LONGEST_NAME]


def namespace_of(text: str) -> str:
    """Returns the namespace in a resource's name; empty where there is none."""
    match = _NAMESPACE.match(text)
    return "" if match is None else match[1]


def authorise(rule: Rule, caller: Caller, request: Any) -> None:
    """Passes a caller who has the role that the rule wants, where it wants it.

    Who has no role at all in a namespace is told what they would be told if it weren't there:
    nothing shows whether it is.

    Raises:
        TunerError: INVALID_ARGUMENT where the name can't be one; NOT_FOUND or
            PERMISSION_DENIED where the caller may not.
        NotFoundError: The job is in a namespace of which the caller may know nothing.
    """
    if rule.scope is Scope.JOB:
        name = JobName.parse(_named(rule, request), rule.field)
        if caller.role_in(name.namespace) is None:
            raise no_job(name)
        _check(rule, caller, name.namespace)
    elif rule.scope is Scope.NAMESPACE:
        namespace = parse_parent(_named(rule, request), rule.field)
        if namespace is None:
            _check_anywhere(rule, caller)
            return
        if caller.role_in(namespace) is None:
            raise TunerError(
                Status.NOT_FOUND,
                "NAMESPACE_NOT_FOUND",
                f"there is no namespace {namespace!r} in which this token may do anything",
            )
        _check(rule, caller, namespace)
    elif rule.scope is Scope.EVERYWHERE:
        _check(rule, caller, ALL)
    else:
        _check_anywhere(rule, caller)


def _check(rule: Rule, caller: Caller, namespace: str) -> None:
    if rule.role is not None and not caller.has(rule.role, namespace):
        where = "all namespaces" if namespace == ALL else f"the namespace {namespace!r}"
        raise _too_low(rule.role, where, caller.role_in(namespace))


def _check_anywhere(rule: Rule, caller: Caller) -> None:
    if rule.role is not None and not caller.somewhere(rule.role):
        own = max(caller.grants.values(), key=list(Role).index, default=None)
        raise _too_low(rule.role, "some namespace", own)


def _too_low(role: Role, where: str, own: Role | None) -> TunerError:
    has = f"has {own.lower()}" if own else "has none"
    return TunerError(
        Status.PERMISSION_DENIED,
        "ROLE_TOO_LOW",
        f"this call needs the role {role.lower()} in {where}, and the token {has} there",
    )


def _named(rule: Rule, request: Any) -> str:
    value = request
    for part in rule.field.split(".") if rule.field else ():
        value = getattr(value, part)
    return value if isinstance(value, str) else ""
