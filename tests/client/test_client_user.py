"""Jobs have owners: the client says who the user is."""

import getpass
import os

import pytest

from tuner import Client
from tuner.client.user import user_name
from tuner.wire.caller import user_from_wire


def test_a_user_goes_by_the_machines_name(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    assert user_name() == "ada"


@pytest.mark.parametrize("error", [OSError, KeyError, ImportError])
def test_a_user_without_a_name_goes_by_the_number(monkeypatch, error):
    def nobody():
        raise error("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert user_name() == f"uid-{os.getuid()}"
    monkeypatch.delattr(os, "getuid")
    assert user_name() == ""


@pytest.mark.parametrize("name", ["ada", "jürgen müller"])
def test_every_call_says_who_makes_it(double, address, monkeypatch, name):
    monkeypatch.setenv("LOGNAME", name)
    seen = []
    enter = double._enter

    def note(method, context):
        seen.append(user_from_wire(context.invocation_metadata()))
        enter(method, context)

    monkeypatch.setattr(double, "_enter", note)
    double.add_job()
    with Client(address) as client:
        list(client.get_job("digits-1").watch())
    assert set(seen) == {name}
