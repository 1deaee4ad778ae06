"""Who may do what: every call, by every role, in its own namespace and in another's."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from access_samples import (
    IN_ORDER,
    METHODS,
    REQUESTS,
    Aim,
    Metadata,
    a_token,
    sent,
    shown,
)
from coordinator_harness import AUTH, House, refusal, until

from services.coordinator.access import audit as audit_log
from services.coordinator.access import guard
from services.coordinator.access.rules import RULES
from services.coordinator.secret import hashed, new_token, token_id
from services.coordinator.store.errors import UnavailableError
from tuner.access import Role, Token
from tuner.errors import Status, TunerError
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import spec_pb2
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.errors import from_rpc_error

VIEWER, SUBMITTER, OPERATOR = pb.ROLE_VIEWER, pb.ROLE_SUBMITTER, pb.ROLE_OPERATOR

READERS = {
    "GetJob", "ListJobs", "WatchJob", "ListTrials", "ListMeasurements", "ListPlanSteps",
    "ListCurves", "CompareSearches", "TailLogs", "ListArtifacts", "DownloadBlob", "GetQueue",
}  # fmt: skip
SUBMITTERS = {"CreateJob", "CancelJob", "PauseJob", "ResumeJob", "StopJob", "ExtendJob"}
OPERATORS = {"DeleteJob", "CreateToken", "ListAuditEntries"}
NOWHERE = {"ListLearners", "GetClusterStatus", "ListNamespaces", "UploadBlob", "ListTokens"}
ALL_OPERATORS = {"UpdateNamespace"}
BY_TOKEN = {"RevokeToken"}

REFUSED = {
    "BAD_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED", "ROLE_TOO_LOW", "GRANT_TOO_HIGH", "NO_RULE",
    "JOB_NOT_FOUND", "NAMESPACE_NOT_FOUND", "TOKEN_NOT_FOUND",
}  # fmt: skip


def expected(call: str, role: str, own: bool) -> Status | None:
    """The refusal that is due; None where the call is to be let through."""
    if call == "Enrol":
        return None  # the code is the proof
    if call not in READERS | SUBMITTERS | OPERATORS | NOWHERE | ALL_OPERATORS | BY_TOKEN:
        return None if role == "runner" and own else Status.UNAUTHENTICATED
    if role in ("none", "expired", "revoked", "runner"):
        return Status.UNAUTHENTICATED
    if role == "root":
        return None
    rank = ["viewer", "submitter", "operator"].index(role)
    denied = Status.PERMISSION_DENIED
    if call in NOWHERE:
        least = {"UploadBlob": 1, "ListTokens": 2}.get(call, 0)
        return None if rank >= least else denied
    if call in ALL_OPERATORS:
        return denied
    if call in BY_TOKEN:
        return denied if rank < 2 else None if own else Status.NOT_FOUND
    if call == "CreateToken":
        return None if rank == 2 and own else denied
    if not own:
        return Status.NOT_FOUND
    least = 0 if call in READERS else 1 if call in SUBMITTERS else 2
    return None if rank >= least else denied


async def tokens(house: House) -> dict[str, Metadata]:
    """What each role shows; their grants are in "mine"."""
    shows: dict[str, Metadata] = {"none": (), "root": AUTH}
    for name, role in (("viewer", VIEWER), ("submitter", SUBMITTER), ("operator", OPERATOR)):
        shows[name] = shown((await a_token(house, mine=role)).secret)
    identity, secret = new_token()
    past = datetime.now(UTC) - timedelta(seconds=1)
    house.store.create_token(
        Token(identity, "grace", {"mine": Role.OPERATOR}, expire_time=past), hashed(secret)
    )
    shows["expired"] = shown(secret)
    revoked = await a_token(house, mine=OPERATOR)
    await house.stub.RevokeToken(pb.RevokeTokenRequest(name=revoked.token.name), metadata=AUTH)
    shows["revoked"] = shown(revoked.secret)
    return shows


def test_every_call_has_a_rule_and_a_request_here() -> None:
    assert set(RULES) == set(METHODS)
    assert set(REQUESTS) == {path.rpartition("/")[2] for path in METHODS}
    client = {path.rpartition("/")[2] for path in METHODS if "TunerService" in path}
    assert client == READERS | SUBMITTERS | OPERATORS | NOWHERE | ALL_OPERATORS | BY_TOKEN


async def test_a_call_without_a_rule_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(RULES, "/tuner.v1.TunerService/ListLearners")  # type: ignore[arg-type]
    error = await refusal(house.stub.ListLearners(pb.ListLearnersRequest(), metadata=AUTH))
    assert (error.status, error.reason) == (Status.PERMISSION_DENIED, "NO_RULE")


async def test_every_call_by_every_role_in_its_own_and_a_foreign_namespace(house: House) -> None:
    shows = await tokens(house)
    running = {place: await house.create(namespace=place) for place in ("mine", "theirs")}
    runners = {place: await house.enrol(job.name) for place, job in running.items()}
    shows["runner"] = runners["mine"].metadata
    wrong = []
    for role, metadata in shows.items():
        for place, runner in runners.items():
            job = runner.job if role == "runner" else (await house.create(namespace=place)).name
            token = (await a_token(house, **{place: VIEWER})).token.name
            aim = Aim(job, runner.attempt, token)
            for path in IN_ORDER:
                call = path.rpartition("/")[2]
                _, error = await sent(house.channel, path, REQUESTS[call](aim), metadata)
                refused = error.status if error and error.reason in REFUSED else None
                if refused != expected(call, role, place == "mine"):
                    wrong.append((role, place, call, refused, error))
    assert not wrong


async def test_a_foreign_namespace_tells_nothing_of_what_is_in_it(house: House) -> None:
    """What is there and what isn't are told in the same words, and the record isn't asked."""
    job = (await house.create(namespace="theirs")).name
    runner = await house.enrol(job)
    stranger = shown((await a_token(house, mine=OPERATOR)).secret)
    there = Aim(job, runner.attempt, (await a_token(house, theirs=VIEWER)).token.name)
    nowhere = Aim(
        "namespaces/nowhere/jobs/nothing",
        rpb.AttemptRef(job="namespaces/nowhere/jobs/nothing", attempt=1, epoch=1),
    )

    def told(aim: Aim, error: TunerError | None) -> Any:
        assert error is not None
        text = error.message
        for part in (aim.job, aim.token.rpartition("/")[2], f"'{aim.namespace.partition('/')[2]}'"):
            text = text.replace(part, "it")
        return error.status, error.reason, text, error.violations

    here = {"ListLearners", "GetClusterStatus", "ListNamespaces", "UploadBlob", "ListTokens"}
    for path in METHODS:
        call = path.rpartition("/")[2]
        if call in here:
            continue
        answers = []
        for aim in (there, nowhere):
            _, error = await sent(house.channel, path, REQUESTS[call](aim), stranger)
            answers.append(told(aim, error))
        assert answers[0] == answers[1], call


async def test_a_job_that_is_missing_and_one_that_may_not_be_seen_read_alike(house: House) -> None:
    mine = await a_token(house, mine=VIEWER)
    await house.create(job_id="secret", namespace="theirs")
    hidden, missing = [
        await refusal(
            house.stub.GetJob(
                pb.GetJobRequest(name=f"namespaces/{place}/jobs/secret"),
                metadata=shown(mine.secret),
            )
        )
        for place in ("theirs", "mine")
    ]
    assert hidden.reason == missing.reason == "JOB_NOT_FOUND"
    assert hidden.message.replace("theirs", "mine") == missing.message


async def test_all_namespaces_are_those_that_may_be_seen(house: House) -> None:
    names = {place: (await house.create(namespace=place)).name for place in ("a", "b", "c")}

    async def listed(metadata: Metadata) -> set[str]:
        request = pb.ListJobsRequest(parent="namespaces/-")
        return {job.name for job in (await house.stub.ListJobs(request, metadata=metadata)).jobs}

    assert await listed(AUTH) == set(names.values())
    two = await a_token(house, a=VIEWER, b=SUBMITTER)
    assert await listed(shown(two.secret)) == {names["a"], names["b"]}
    everywhere = await a_token(house, all=VIEWER)
    assert await listed(shown(everywhere.secret)) == set(names.values())


async def test_a_job_and_the_log_know_the_tokens_subject(house: House) -> None:
    made = await a_token(house, subject="Grace Hopper", mine=SUBMITTER)
    assert made.token.created_by == "ada"
    assert token_id(made.secret) == made.token.name.removeprefix("tokens/")
    metadata = (*shown(made.secret), ("tuner-user", "somebody else"))
    _, error = await sent(
        house.channel,
        "/tuner.v1.TunerService/CreateJob",
        REQUESTS["CreateJob"](Aim("namespaces/mine/jobs/x", rpb.AttemptRef())),
        metadata,
    )
    assert error is None
    jobs = await house.stub.ListJobs(pb.ListJobsRequest(parent="namespaces/mine"), metadata=AUTH)
    assert [job.owner for job in jobs.jobs] == ["Grace Hopper"]


async def test_a_revoked_token_ends_streams_too(house: House) -> None:
    job = await house.create(namespace="mine")
    made = await a_token(house, mine=VIEWER)
    watching = house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=shown(made.secret))
    assert (await anext(aiter(watching))).events
    await house.stub.RevokeToken(pb.RevokeTokenRequest(name=made.token.name), metadata=AUTH)
    await house.cancel(job.name)
    error = await refusal(watching)
    assert (error.status, error.reason) == (Status.UNAUTHENTICATED, "TOKEN_REVOKED")


async def test_a_token_expires_by_itself(house: House) -> None:
    made = await a_token(house, mine=VIEWER, lifetime_seconds=0.3)
    request = pb.ListJobsRequest(parent="namespaces/mine")
    await house.stub.ListJobs(request, metadata=shown(made.secret))

    async def expired() -> bool:
        try:
            await house.stub.ListJobs(request, metadata=shown(made.secret))
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error).reason == "TOKEN_EXPIRED"
        return False

    began = time.monotonic()
    await until(expired)
    # Not by being looked up again: what is remembered of it knows when it ends.
    assert time.monotonic() - began < guard.FRESH_SECONDS


async def test_another_coordinator_learns_of_a_revocation_within_the_bound(house: House) -> None:
    """The store alone knows of it, as when another coordinator was asked."""
    made = await a_token(house, mine=VIEWER)
    request = pb.ListJobsRequest(parent="namespaces/mine")
    await house.stub.ListJobs(request, metadata=shown(made.secret))
    began = time.monotonic()
    house.store.revoke_token(made.token.name.removeprefix("tokens/"))
    while True:
        try:
            await house.stub.ListJobs(request, metadata=shown(made.secret))
        except grpc.aio.AioRpcError as error:
            assert from_rpc_error(error).reason == "TOKEN_REVOKED"
            break
        assert time.monotonic() - began < guard.FRESH_SECONDS + 0.5
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": ""}, "subject"),
        ({"subject": "x" * 101}, "subject"),
        ({"subject": "a\nb"}, "subject"),
        ({"lifetime_seconds": -1.0}, "lifetime_seconds"),
        ({"lifetime_seconds": float("nan")}, "lifetime_seconds"),
        ({"lifetime_seconds": 1e12}, "lifetime_seconds"),
        ({"grants": []}, "grants"),
        ({"grants": [pb.Grant(namespace="mine", role=VIEWER)]}, "grants[0].namespace"),
        ({"grants": [pb.Grant(namespace="namespaces/mine")]}, "grants[0].role"),
        (
            {"grants": [pb.Grant(namespace="namespaces/mine", role=VIEWER)] * 2},
            "grants[1].namespace",
        ),
    ],
)
async def test_a_token_that_cant_be_made_says_why(
    house: House, changes: dict[str, Any], field: str
) -> None:
    right = {"subject": "eve", "grants": [pb.Grant(namespace="namespaces/mine", role=VIEWER)]}
    request = pb.CreateTokenRequest(**{**right, **changes})
    error = await refusal(house.stub.CreateToken(request, metadata=AUTH))
    assert error.status is Status.INVALID_ARGUMENT
    assert [v.field for v in error.violations] == [field]


async def test_nobody_makes_or_ends_a_token_that_may_more_than_they_may(house: House) -> None:
    operator = shown((await a_token(house, mine=OPERATOR, theirs=SUBMITTER)).secret)
    mine = await a_token(house, mine=OPERATOR, metadata=operator)
    for grants in ({"theirs": VIEWER}, {"mine": VIEWER, "theirs": VIEWER}, {"all": VIEWER}):
        error = await refusal(a_token(house, metadata=operator, **grants))
        assert (error.status, error.reason) == (Status.PERMISSION_DENIED, "GRANT_TOO_HIGH")
    both = await a_token(house, mine=VIEWER, theirs=VIEWER)
    request = pb.RevokeTokenRequest(name=both.token.name)
    error = await refusal(house.stub.RevokeToken(request, metadata=operator))
    assert error.reason == "TOKEN_NOT_FOUND"
    seen = await house.stub.ListTokens(pb.ListTokensRequest(), metadata=operator)
    assert [token.name for token in seen.tokens] == [mine.token.name]
    assert mine.secret not in str(seen)
    ended = await house.stub.RevokeToken(
        pb.RevokeTokenRequest(name=mine.token.name), metadata=operator
    )
    assert ended.HasField("revoke_time")
    everything = await house.stub.ListTokens(pb.ListTokensRequest(page_size=1), metadata=AUTH)
    assert everything.next_page_token


async def test_an_operator_of_all_is_one_of_each(house: House) -> None:
    everywhere = shown((await a_token(house, all=OPERATOR)).secret)
    made = await a_token(house, all=OPERATOR, metadata=everywhere)
    await house.stub.RevokeToken(pb.RevokeTokenRequest(name=made.token.name), metadata=everywhere)


async def entries(house: House, parent: str = "namespaces/-", least: int = 1) -> list[Any]:
    """The audit log, oldest first, once it has so many entries."""

    async def there() -> list[Any]:
        request = pb.ListAuditEntriesRequest(parent=parent)
        answer = await house.stub.ListAuditEntries(request, metadata=AUTH)
        return list(answer.entries) if len(answer.entries) >= least else []

    return (await until(there))[::-1]


async def test_the_log_tells_who_did_what_and_who_was_refused(house: House) -> None:
    viewer = await a_token(house, mine=VIEWER)
    job = await house.create(namespace="mine")
    await refusal(
        house.stub.CancelJob(pb.CancelJobRequest(name=job.name), metadata=shown(viewer.secret))
    )
    await refusal(house.stub.GetJob(pb.GetJobRequest(name=job.name)))
    await refusal(
        house.stub.GetJob(
            pb.GetJobRequest(name="namespaces/theirs/jobs/x"), metadata=shown(viewer.secret)
        )
    )
    await house.create(namespace="mine", validate_only=True)
    await house.get(job.name)
    await house.cancel(job.name)
    found = await entries(house, least=6)
    name = viewer.token.name
    told = [(e.subject, e.method, e.resource, e.status) for e in found]
    assert told == [
        ("ada", "CreateToken", name, "OK"),
        ("ada", "CreateJob", job.name, "OK"),
        ("grace", "CancelJob", job.name, "PERMISSION_DENIED"),
        ("", "GetJob", job.name, "UNAUTHENTICATED"),
        ("grace", "GetJob", "namespaces/theirs/jobs/x", "NOT_FOUND"),
        ("ada", "CancelJob", job.name, "OK"),
    ]
    assert found[2].token == name.removeprefix("tokens/")
    assert found[2].reason.startswith("this call needs the role submitter")
    assert all(e.peer.startswith("ipv4:127.0.0.1") and e.HasField("time") for e in found)
    assert viewer.secret not in str(found)
    # An operator of the namespace sees what was about it.
    operator = await a_token(house, mine=OPERATOR)
    for parent in ("namespaces/mine", "namespaces/-"):
        request = pb.ListAuditEntriesRequest(parent=parent, page_size=2)
        answer = await house.stub.ListAuditEntries(request, metadata=shown(operator.secret))
        assert [e.method for e in answer.entries] == ["CancelJob", "GetJob"]
        request.page_token = answer.next_page_token
        answer = await house.stub.ListAuditEntries(request, metadata=shown(operator.secret))
        assert [e.method for e in answer.entries] == ["CancelJob", "CreateJob"]


async def test_enrolment_is_in_the_log_and_its_misuse(house: House) -> None:
    job = await house.create()
    await house.enrol(job.name)
    code = (await house.submission(job.name)).code
    await refusal(house.runners.Enrol(rpb.EnrolRequest(job=job.name, code="a guess")))
    found = await entries(house, least=3)
    assert [(e.method, e.status) for e in found[1:]] == [
        ("Enrol", "OK"),
        ("Enrol", "FAILED_PRECONDITION"),
    ]
    assert code not in str(found)


async def test_a_flood_of_refusals_is_counted_and_not_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MAX_KINDS", 2)
    monkeypatch.setattr(audit_log, "COALESCE_SECONDS", 1.0)
    for call in (house.stub.GetJob, house.stub.GetJob, house.stub.GetJob):
        await refusal(call(pb.GetJobRequest(name="namespaces/mine/jobs/x")))
    await refusal(house.stub.CancelJob(pb.CancelJobRequest(name="namespaces/mine/jobs/x")))
    await refusal(house.stub.ListLearners(pb.ListLearnersRequest()))
    found = await entries(house, least=4)
    assert [(e.method, e.reason[:14]) for e in found] == [
        ("GetJob", "the call shows"),
        ("CancelJob", "the call shows"),
        ("GetJob", "and 2 more lik"),
        ("", "1 refusals of "),
    ]


async def test_the_log_outlives_the_database_being_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, away, tries = house.store.append_audit, [True], []

    def sometimes(batch: Any) -> None:
        if away:
            tries.append(batch)
            raise UnavailableError("gone")
        append(batch)

    monkeypatch.setattr(house.store, "append_audit", sometimes)
    job = await house.create()
    await until(lambda: len(tries) > 1)
    away.clear()
    assert [e.resource for e in await entries(house)] == [job.name]


async def test_nothing_is_changed_that_the_log_cant_hold(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(batch: Any) -> None:
        raise UnavailableError("gone")

    monkeypatch.setattr(house.store, "append_audit", gone)
    monkeypatch.setattr(audit_log, "MAX_WAITING", 1)
    monkeypatch.setattr(audit_log, "ROOM_SECONDS", 0.05)
    job = await house.create()
    error = await refusal(house.cancel(job.name))
    assert (error.status, error.reason) == (Status.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert (await house.get(job.name)).state != pb.JOB_STATE_CANCELLED


async def test_what_waits_for_the_log_is_written_when_the_coordinator_stops(house: House) -> None:
    job = await house.create()
    await house.restart()
    assert [e.resource for e in await entries(house)] == [job.name]


async def test_streams_of_one_token_are_bounded(house: House) -> None:
    await house.restart(max_streams=1)
    job = await house.create(namespace="mine")
    house.gateway.log[(await house.submission(job.name)).id] = "it begins\n"
    metadata = shown((await a_token(house, mine=VIEWER)).secret)
    request = pb.TailLogsRequest(name=job.name, follow=True)
    first = house.stub.TailLogs(request, metadata=metadata)
    assert (await first.read()).lines == ["it begins"]

    async def refused() -> TunerError | None:
        call = house.stub.TailLogs(pb.TailLogsRequest(name=job.name), metadata=metadata)
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)
        return None

    error = await refused()
    assert error is not None
    assert (error.status, error.reason) == (Status.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    assert "1 uploads, downloads and logs are open" in error.message
    first.cancel()

    async def free() -> bool:
        return await refused() is None

    await until(free)


async def test_a_message_that_is_too_large_is_refused(house: House) -> None:
    request = pb.GetJobRequest(name="x" * (4 * 2**20))
    error = await refusal(house.stub.GetJob(request, metadata=AUTH))
    assert error.status is Status.RESOURCE_EXHAUSTED


async def test_a_call_that_takes_too_long_is_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.coordinator.api import interceptor

    monkeypatch.setattr(interceptor, "UNARY_SECONDS", 0.1)
    monkeypatch.setattr(house.store, "list_jobs", lambda *_: time.sleep(0.3))
    request = pb.ListJobsRequest(parent="namespaces/-")
    error = await refusal(house.stub.ListJobs(request, metadata=AUTH))
    assert (error.status, error.reason) == (Status.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


async def test_an_upload_that_falls_silent_is_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.coordinator.api import interceptor

    monkeypatch.setattr(interceptor, "IDLE_SECONDS", 0.1)
    silent = asyncio.Event()

    async def messages() -> Any:
        yield pb.UploadBlobRequest(header=pb.BlobHeader(sha256="ab" * 32, size_bytes=9))
        await silent.wait()

    error = await refusal(house.stub.UploadBlob(messages(), metadata=AUTH))
    assert error.status is Status.DEADLINE_EXCEEDED


def test_nothing_that_clients_send_is_unpickled() -> None:
    """The coordinator's and the client's own modules know no way to run what they read."""
    root = Path(__file__).parents[2]
    words = ("pickle", "marshal.load", "shelve", "joblib", "yaml.load(", "eval(", "exec(")
    for folder in ("services/coordinator", "tuner/wire", "tuner/client", "tuner/spec"):
        for file in (root / folder).rglob("*.py"):
            code = [
                line.partition("#")[0]
                for line in file.read_text(encoding="utf-8").splitlines()
                if "allow_pickle=False" not in line
            ]
            assert not [w for w in words if any(w in line for line in code)], file


async def test_a_page_of_large_specs_ends_early_and_none_is_left_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.coordinator.api import portions

    names = [(await house.create()).name for _ in range(5)]
    monkeypatch.setattr(portions, "MAX_BYTES", 200)
    found: list[str] = []
    request = pb.ListJobsRequest(parent="namespaces/default")
    while True:
        answer = await house.stub.ListJobs(request, metadata=AUTH)
        assert len(answer.jobs) < 5
        found += [job.name for job in answer.jobs]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert found == names[::-1]


async def test_code_of_ones_own_is_off_for_everybody_and_the_log_has_it(house: House) -> None:
    archive = spec_pb2.BlobFile(name="code.zip", sha256="ab" * 32, size_bytes=1)
    for role in (SUBMITTER, OPERATOR):
        metadata = shown((await a_token(house, mine=role)).secret)
        [request] = REQUESTS["CreateJob"](Aim("namespaces/mine/jobs/x", rpb.AttemptRef()))
        request.spec.code.archive.CopyFrom(archive)  # type: ignore[attr-defined]
        error = await refusal(house.stub.CreateJob(request, metadata=metadata))
        assert (error.status, error.reason) == (Status.PERMISSION_DENIED, "USER_CODE_OFF")
    found = await entries(house, least=4)
    told = [(e.method, e.status) for e in found if e.method == "CreateJob"]
    assert told == [("CreateJob", "PERMISSION_DENIED")] * 2
