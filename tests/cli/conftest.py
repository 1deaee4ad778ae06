"""The client's double of the coordinator, for commands that speak to one."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuner.cli.main import app

sys.path.insert(0, str(Path(__file__).parents[1] / "client"))

from coordinator_double import Double, serve


@pytest.fixture(autouse=True)
def no_coordinator_of_the_machine(monkeypatch, tmp_path):
    """Keeps tests away from whatever the machine names or runs."""
    monkeypatch.delenv("TUNER_ADDRESS", raising=False)
    monkeypatch.delenv("TUNER_TOKEN", raising=False)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))


@pytest.fixture
def double():
    return Double()


@pytest.fixture
def address(double):
    server, address = serve(double)
    yield address
    server.stop(None).wait()


@pytest.fixture
def tuner(address, monkeypatch):
    monkeypatch.setenv("TUNER_ADDRESS", address)
    runner = CliRunner()

    def call(*arguments):
        return runner.invoke(app, list(map(str, arguments)))

    return call
