"""TLS and mutual TLS, by real handshakes: who is let in, and what the others are told."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Pair
from coordinator_harness import TOKEN, House, ScriptedGateway, house_settings

from services.coordinator import curves
from services.coordinator.access.tls import runner_environment
from services.coordinator.settings import Settings
from services.runner.link import CoordinatorLink
from services.runner.settings import RunnerSettings
from tuner import Client
from tuner.errors import Status, TunerError
from tuner.tls import Tls

PROBE = Path(__file__).parents[2] / "deploy" / "healthcheck.py"
VARIABLES = ("TUNER_TLS", "TUNER_TLS_CA", "TUNER_TLS_CERT", "TUNER_TLS_KEY", "TUNER_ADDRESS")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.sign("server")


@pytest.fixture(scope="module")
def member(authority: Authority) -> Pair:
    return authority.sign("member", "member.example")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "theirs")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TUNER_TOKEN", TOKEN)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))


@pytest.fixture
async def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: Any
) -> AsyncIterator[Callable[..., Any]]:
    monkeypatch.setattr(curves, "ProcessPoolExecutor", processes)
    houses: list[House] = []

    async def started(**settings: Any) -> House:
        house = House(house_settings(tmp_path, **settings), ScriptedGateway())
        try:
            houses.append(await house.start())
        except TunerError:
            await house.coordinator.stop()
            raise
        return house

    yield started
    for house in houses:
        await house.stop()


def mutual(server: Pair, authority: Authority, member: Pair) -> dict[str, Path]:
    return {
        "tls_cert": server.cert,
        "tls_key": server.key,
        "tls_ca": authority.file,
        "tls_client_ca": authority.file,
        "tls_runner_cert": member.cert,
        "tls_runner_key": member.key,
    }


async def asked(address: str, **options: Any) -> TunerError | None:
    """Asks for the learners; returns the refusal, if it is one."""

    def ask() -> None:
        with Client(address, timeout=5.0, **options) as client:
            assert client.learners()

    try:
        await asyncio.to_thread(ask)
    except TunerError as error:
        return error
    return None


async def test_the_right_authority_lets_in_and_others_are_told(
    start: Callable[..., Any], server: Pair, authority: Authority, stranger: Authority
) -> None:
    house = await start(tls_cert=server.cert, tls_key=server.key)
    address = house.coordinator.address
    assert await asked(address, tls_ca=authority.file) is None
    error = await asked(address, tls_ca=stranger.file)
    assert error is not None
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "TLS_MISMATCH")
    assert "isn't trusted" in error.message
    assert "--tls-ca" in error.message
    error = await asked(address)
    assert error is not None
    assert error.reason == "TLS_MISMATCH"
    assert "speaks TLS; name its authority's certificate by --tls-ca" in error.message
    error = await asked(address, tls_ca=authority.file, token="nonsense")
    assert error is not None
    assert error.reason == "BAD_TOKEN"


async def test_the_environment_names_the_authority(
    start: Callable[..., Any], server: Pair, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await start(tls_cert=server.cert, tls_key=server.key)
    monkeypatch.setenv("TUNER_TLS_CA", str(authority.file))
    assert await asked(house.coordinator.address) is None
    monkeypatch.delenv("TUNER_TLS_CA")
    monkeypatch.setenv("TUNER_TLS", "true")
    error = await asked(house.coordinator.address)
    assert error is not None
    assert "isn't trusted" in error.message
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await asked(house.coordinator.address) is None


async def test_a_certificate_of_another_name_isnt_trusted(
    start: Callable[..., Any], authority: Authority
) -> None:
    other = authority.sign("other", "other.example")
    house = await start(tls_cert=other.cert, tls_key=other.key)
    error = await asked(house.coordinator.address, tls_ca=authority.file)
    assert error is not None
    assert "isn't trusted" in error.message


async def test_plaintext_isnt_taken_for_tls(
    start: Callable[..., Any], authority: Authority
) -> None:
    house = await start()
    error = await asked(house.coordinator.address, tls_ca=authority.file)
    assert error is not None
    assert error.reason == "TLS_MISMATCH"
    assert "speaks no TLS" in error.message


async def test_mutual_tls_wants_a_certificate_of_its_clients(
    start: Callable[..., Any],
    server: Pair,
    member: Pair,
    authority: Authority,
    stranger: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = await start(**mutual(server, authority, member))
    address = house.coordinator.address
    error = await asked(address, tls_ca=authority.file)
    assert error is not None
    assert "wants a certificate of its clients, too" in error.message
    false = stranger.sign("false")
    monkeypatch.setenv("TUNER_TLS_CERT", str(false.cert))
    monkeypatch.setenv("TUNER_TLS_KEY", str(false.key))
    error = await asked(address, tls_ca=authority.file)
    assert error is not None
    assert "doesn't accept the certificate" in error.message
    monkeypatch.setenv("TUNER_TLS_CERT", str(member.cert))
    monkeypatch.setenv("TUNER_TLS_KEY", str(member.key))
    assert await asked(address, tls_ca=authority.file) is None
    # A certificate is no token.
    error = await asked(address, tls_ca=authority.file, token="nonsense")
    assert error is not None
    assert error.reason == "BAD_TOKEN"


async def test_a_coordinator_that_is_away_is_no_matter_of_tls(authority: Authority) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def ask() -> None:
        with Client(address, timeout=0.5, tls_ca=authority.file) as client:
            client.learners()

    with pytest.raises(TunerError) as caught:
        await asyncio.to_thread(ask)
    assert caught.value.reason == "UNREACHABLE"


async def test_a_runner_trusts_what_its_environment_names(
    start: Callable[..., Any],
    server: Pair,
    member: Pair,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = await start(**mutual(server, authority, member))
    told = runner_environment(house.settings)
    assert told["TUNER_RUNNER_TLS_CA"] == authority.file.read_text()
    assert member.key.read_text() not in str(told)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = RunnerSettings(
        coordinator=house.coordinator.address, job="namespaces/default/jobs/x", code="wrong"
    )

    def enrol(tls: Tls | None) -> TunerError:
        link = CoordinatorLink(settings.coordinator, settings.job, 0.1, tls)
        try:
            with pytest.raises(TunerError) as caught:
                link.enrol(settings.code)
        finally:
            link.close()
        return caught.value

    assert (await asyncio.to_thread(enrol, settings.trust)).reason == "STALE_ATTEMPT"
    assert (await asyncio.to_thread(enrol, None)).status is Status.UNAVAILABLE


async def test_a_client_on_this_machine_reads_what_the_coordinator_speaks(
    start: Callable[..., Any], tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that are set for another coordinator don't trouble the embedded one."""
    house = await start()
    home = house.settings.state_dir
    assert json.loads((home / "coordinator.json").read_text())["tls"] is False
    monkeypatch.setenv("TUNER_HOME", str(home))
    monkeypatch.setenv("TUNER_TLS_CA", str(authority.file))
    assert await asked(house.coordinator.address) is None
    assert await asked("") is None


@pytest.mark.parametrize("wants", ["nothing", "a certificate"])
async def test_the_health_check_speaks_tls(
    start: Callable[..., Any], server: Pair, member: Pair, authority: Authority, wants: str
) -> None:
    if wants == "nothing":
        house = await start(tls_cert=server.cert, tls_key=server.key)
    else:
        house = await start(**mutual(server, authority, member))

    async def healthy(**variables: Path) -> bool:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROBE),
            "grpc",
            house.coordinator.address,
            env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        )
        return await process.wait() == 0

    shown = {"TUNER_TLS_CERT": member.cert, "TUNER_TLS_KEY": member.key}
    assert await healthy(TUNER_COORDINATOR_TLS_CERT=server.cert, **shown)
    assert not await healthy()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"listen": "0.0.0.0:0"}, "set TUNER_COORDINATOR_TLS_CERT and TUNER_COORDINATOR_TLS_KEY"),
        ({"tls_cert": "/x"}, "tls_cert and tls_key go together"),
        ({"tls_key": "/x"}, "tls_cert and tls_key go together"),
        ({"tls_ca": "/x"}, "tls_ca is set, but not tls_cert"),
        ({"tls_cert": "/x", "tls_key": "/x", "tls_client_ca": "/x"}, "runners need a certificate"),
    ],
)
def test_settings_that_dont_go_together_say_so(changes: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**changes)


def test_with_a_certificate_others_may_reach_it() -> None:
    settings = Settings(listen="0.0.0.0:0", tls_cert=Path("/x"), tls_key=Path("/y"))
    assert not settings.insecure


async def test_a_file_that_is_no_certificate_keeps_the_coordinator_from_starting(
    start: Callable[..., Any], server: Pair, tmp_path: Path
) -> None:
    for cert, said in ((server.key, "no certificate"), (tmp_path / "none", "can't be read")):
        with pytest.raises(TunerError, match=said) as caught:
            await start(tls_cert=cert, tls_key=server.key)
        assert caught.value.reason == "TLS_UNUSABLE"
        assert "TUNER_COORDINATOR_TLS_CERT" in caught.value.message


async def test_a_key_of_another_certificate_keeps_the_coordinator_from_starting(
    start: Callable[..., Any], server: Pair, member: Pair
) -> None:
    with pytest.raises(TunerError, match="don't go together") as caught:
        await start(tls_cert=server.cert, tls_key=member.key)
    assert caught.value.reason == "TLS_UNUSABLE"


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"TUNER_TLS": "perhaps"}, "TUNER_TLS"),
        ({"TUNER_TLS_CA": "/nowhere.pem"}, "TUNER_TLS_CA"),
        ({"TUNER_TLS_CERT": "/nowhere.pem"}, "TUNER_TLS_CERT"),
        ({"TUNER_TLS_CERT": "/nowhere.pem", "TUNER_TLS_KEY": "/nowhere.key"}, "TUNER_TLS_CERT"),
    ],
)
def test_a_client_says_which_variable_is_wrong(
    variables: dict[str, str], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TunerError) as caught:
        Client("127.0.0.1:1")
    assert [v.field for v in caught.value.violations] == [field]
