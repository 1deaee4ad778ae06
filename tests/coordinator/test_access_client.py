"""Tokens and the audit log from a client's side: the library's, and the command line's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from coordinator_harness import TOKEN, House, until

from services.coordinator.gateway import Submission
from services.coordinator.ray_gateway import RayGateway
from tuner import Client
from tuner.access import Role
from tuner.errors import Status, TunerError
from tuner.wire.names import JobName

Call = Callable[..., Any]


async def test_a_token_is_made_used_listed_and_revoked(house: House, tuner: Call) -> None:
    job = await house.create(namespace="vision")
    made = await tuner(
        "token", "create", "Grace", "--role", "viewer", "-n", "vision", "--days", "1"
    )
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    match = re.fullmatch(r"tnr_([a-z2-7]{10})_[\w-]{43}", secret)
    assert match is not None, (made.stdout, made.stderr)
    assert f"{match[1]} is Grace's, viewer in vision, until 20" in made.stderr
    assert secret not in made.stderr

    seen = await tuner("get", "jobs", "-n", "-", "-o", "name", token=secret)
    assert seen.stdout.split() == [job.name.rpartition("/")[2]]
    refused = await tuner("cancel", job.name, token=secret)
    assert refused.exit_code != 0
    assert "needs the role submitter in the namespace 'vision'" in refused.stderr

    listed = json.loads((await tuner("token", "list", "-o", "json")).stdout)
    assert [(row["id"], row["state"], row["grants"]) for row in listed] == [
        (match[1], "valid", {"vision": "viewer"})
    ]
    assert secret not in str(listed)
    ended = await tuner("token", "revoke", secret)
    assert f"{match[1]} of Grace was revoked on 20" in ended.stderr
    seen = await tuner("get", "jobs", "-n", "-", token=secret)
    assert "was revoked on" in seen.stderr
    table = await tuner("token", "list")
    assert "viewer in vision" in table.stdout
    assert "revoked" in table.stdout


@pytest.mark.parametrize("days", ["0", "-1", "nan", "1e12"])
async def test_a_lifetime_that_is_none_makes_no_token(house: House, tuner: Call, days: str) -> None:
    refused = await tuner("token", "create", "Grace", "--days", days)
    assert refused.exit_code == 2, refused.output
    assert "give more" in refused.stderr
    assert "no token" in (await tuner("token", "revoke", "aaaaaaaaaa")).stderr
    assert json.loads((await tuner("token", "list", "-o", "json")).stdout) == []


async def test_the_audit_log_is_shown(
    house: House, tuner: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await house.create(job_id="mine")
    await tuner("cancel", job.name, token="nonsense")

    async def shown() -> list[Any]:
        answer = await tuner("audit", "-o", "json")
        rows = json.loads(answer.stdout)
        return rows if len(rows) >= 2 else []

    rows = await until(shown)
    assert [(row["method"], row["status"]) for row in rows] == [
        ("GetJob", "UNAUTHENTICATED"),
        ("CreateJob", "OK"),
    ]
    table = await tuner("audit", "-n", "default", "--limit", "1")
    assert "UNAUTHENTICATED" in table.stdout
    assert "CreateJob" not in table.stdout
    monkeypatch.setenv("COLUMNS", "100")
    narrow = await tuner("audit")
    assert " default/mine " in narrow.stdout, narrow.stdout
    assert " UNAUTHENTICATED " in narrow.stdout


async def test_the_library_makes_tokens_for_several_namespaces(house: House) -> None:
    def work() -> None:
        with Client(house.coordinator.address, TOKEN) as client:
            grants = {"a": "viewer", "-": Role.SUBMITTER}
            token, secret = client.create_token("ada", grants, timedelta(hours=1))
            assert token.grants == {"a": Role.VIEWER, "-": Role.SUBMITTER}
            assert token.expire_time is not None
            assert token.create_time is not None
            assert list(client.tokens()) == [token]
            with Client(house.coordinator.address, secret) as other:
                assert list(other.jobs("-")) == []
                with pytest.raises(TunerError) as caught:
                    next(iter(other.audit()))
                assert caught.value.status is Status.PERMISSION_DENIED
            assert client.revoke_token(token.id).revoke_time is not None
            with pytest.raises(TunerError) as caught:
                client.revoke_token("aaaaaaaaaa")
            assert caught.value.reason == "TOKEN_NOT_FOUND"
            with pytest.raises(ValueError, match="EMPEROR"):
                client.create_token("ada", {"a": "emperor"})

    await asyncio.to_thread(work)


def test_a_drivers_environment_says_whom_to_trust_and_holds_one_code() -> None:
    more = {"TUNER_RUNNER_TLS": "true", "TUNER_RUNNER_TLS_CA": "PEM"}
    gateway = RayGateway("http://127.0.0.1:1", "python", "10.0.0.1:1", more)
    told = gateway._environment(Submission("s", JobName("default", "x"), "the code", {}))
    gateway.close()
    assert more.items() <= told.items()
    assert [name for name in told if re.search("TOKEN|SECRET|KEY|AUTH", name)] == []
    assert told["TUNER_RUNNER_CODE"] == "the code"
