"""Which coordinator is meant, and with which token."""

import json
import os

import pytest

from tuner import TunerError
from tuner.client.endpoint import find_endpoint, state_home
from tuner.errors import Status


def _embedded(pid, address="127.0.0.1:4321"):
    home = state_home()
    home.mkdir(parents=True)
    (home / "coordinator.json").write_text(json.dumps({"address": address, "pid": pid}))
    (home / "token").write_text("embedded-token\n")


def test_arguments_go_before_the_environment(monkeypatch):
    monkeypatch.setenv("TUNER_ADDRESS", "there:1")
    monkeypatch.setenv("TUNER_TOKEN", "from-environment")
    assert find_endpoint().address == "there:1"
    assert find_endpoint().token == "from-environment"
    found = find_endpoint("here:2", "given")
    assert (found.address, found.token) == ("here:2", "given")


def test_the_embedded_coordinator_is_found_with_its_token():
    _embedded(os.getpid())
    found = find_endpoint()
    assert (found.address, found.token, found.embedded) == (
        "127.0.0.1:4321",
        "embedded-token",
        True,
    )


def test_its_token_goes_to_nobody_else(monkeypatch):
    _embedded(os.getpid())
    assert find_endpoint("stranger:4321").token == ""
    assert find_endpoint("127.0.0.1:4321").token == "embedded-token"
    monkeypatch.setenv("TUNER_TOKEN", "of-another")
    assert find_endpoint("127.0.0.1:4321").token == "embedded-token"
    assert find_endpoint("stranger:4321").token == "of-another"


def test_whoever_names_an_api_token_is_no_more_than_its_holder(monkeypatch):
    _embedded(os.getpid())
    monkeypatch.setenv("TUNER_TOKEN", "tnr_ofaviewer")
    assert find_endpoint().token == "tnr_ofaviewer"
    assert find_endpoint("127.0.0.1:4321").token == "tnr_ofaviewer"
    assert find_endpoint("127.0.0.1:4321", "given").token == "given"


@pytest.mark.parametrize("leave", ["nothing", "a dead one"])
def test_where_none_is_up_it_says_what_to_do(leave):
    if leave == "a dead one":
        _embedded(2**22 + 1)
    with pytest.raises(TunerError) as caught:
        find_endpoint()
    assert caught.value.status is Status.UNAVAILABLE
    assert "tuner up" in caught.value.message


@pytest.mark.parametrize("address", ["nowhere", ":1", "host:", "http://host:1", "host:x"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(TunerError) as caught:
        find_endpoint(address)
    assert caught.value.violations[0].field == "address"
    assert "HOST:PORT" in caught.value.violations[0].problem


def test_the_token_is_not_shown():
    assert "secret" not in repr(find_endpoint("a:1", "secret"))
