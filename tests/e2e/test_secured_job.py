"""A job whose coordinator, runner and client prove themselves to each other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Stack

from tests.coordinator.certificates import Authority
from tuner import Client, JobSpec, Search
from tuner.errors import TunerError


@pytest.mark.slow
def test_a_job_runs_over_mutual_tls_under_a_token_of_its_own(
    client: Client, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, "ours")
    server, member = authority.sign("server"), authority.sign("member", "member.example")
    settings = {
        "STATE_DIR": tmp_path / "state",
        "LISTEN": "127.0.0.1:0",
        "RAY_DASHBOARD": client.cluster_status().dashboard_address,
        "TLS_CERT": server.cert,
        "TLS_KEY": server.key,
        "TLS_CA": authority.file,
        "TLS_CLIENT_CA": authority.file,
        "TLS_RUNNER_CERT": member.cert,
        "TLS_RUNNER_KEY": member.key,
    }
    variables = {f"TUNER_COORDINATOR_{name}": str(value) for name, value in settings.items()}
    ray = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(stack.home / "ray-token")}
    coordinator = subprocess.Popen(
        [sys.executable, "-m", "services.coordinator"],
        env={**stack.environment, **variables, **ray, "TUNER_TOKEN": "root"},
    )
    try:
        address = _address(tmp_path / "state" / "coordinator.json")
        with pytest.raises(TunerError, match="speaks TLS"):
            Client(address, "root", timeout=10).cluster_status()
        monkeypatch.setenv("TUNER_TLS_CERT", str(member.cert))
        monkeypatch.setenv("TUNER_TLS_KEY", str(member.key))
        with Client(address, "root", tls_ca=authority.file) as root:
            _, secret = root.create_token("ada", {"vision": "submitter"})
        with Client(address, secret, tls_ca=authority.file, namespace="vision") as ada:
            job = ada.submit(
                JobSpec(
                    dataset="digits",
                    namespace="vision",
                    margin=0.1,
                    searches=[Search("simulated", axis="depth", levels=[1, 2, 4])],
                    baseline=None,
                )
            )
            assert job.wait(180) == "SUCCEEDED", job.status.reason
            assert job.status.owner == "ada"
            assert job.result().curves
    finally:
        coordinator.terminate()
        coordinator.wait(30)


def _address(file: Path) -> str:
    """The coordinator's address, once it serves."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, "the coordinator never served"
        time.sleep(0.1)
    return str(json.loads(file.read_text())["address"])
