"""A coordinator's double for every test that asks for one."""

import pytest
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
