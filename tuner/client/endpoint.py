"""Which coordinator to speak to, and with which token."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from tuner.errors import Status, TunerError, invalid


def state_home() -> Path:
    """Returns the embedded services' folder: TUNER_HOME, or ~/.tuner."""
    return Path(os.environ.get("TUNER_HOME") or Path.home() / ".tuner").expanduser().absolute()


@dataclass(frozen=True)
class Endpoint:
    """A coordinator.

    Attributes:
        address: "host:port".
        token: What proves who asks; empty where the coordinator wants none.
        embedded: Whether it is the one that `tuner up` starts here.
    """

    address: str
    token: str = field(default="", repr=False)
    embedded: bool = False


def find_endpoint(address: str | None = None, token: str | None = None) -> Endpoint:
    """Returns the coordinator that is meant.

    The arguments go first, then TUNER_ADDRESS and TUNER_TOKEN, then the
    embedded coordinator of this machine, with the token that it made.

    Raises:
        TunerError: INVALID_ARGUMENT where the address is none; UNAVAILABLE,
            reason NO_COORDINATOR, where nothing is named and nothing is up.
    """
    named = address or os.environ.get("TUNER_ADDRESS", "")
    elsewhere = os.environ.get("TUNER_TOKEN", "")
    if named:
        host, colon, port = named.rpartition(":")
        if not (colon and host and port.isdigit()) or "/" in named:
            raise invalid("address", f"{named!r} is not of the form HOST:PORT", "INVALID_ADDRESS")
        ours = _embedded_token(state_home()) if named == _embedded_address(state_home()) else ""
        return Endpoint(named, token or ours or elsewhere)
    home = state_home()
    found = _embedded_address(home)
    if found is None:
        raise TunerError(
            Status.UNAVAILABLE,
            "NO_COORDINATOR",
            f"no coordinator is up in {home}; start one with `tuner up`, "
            "or name one with --address or TUNER_ADDRESS",
        )
    return Endpoint(found, token or _embedded_token(home) or elsewhere, embedded=True)


def _embedded_address(home: Path) -> str | None:
    """Returns the address of the coordinator that lives in the folder, or None."""
    try:
        state = json.loads((home / "coordinator.json").read_text(encoding="utf-8"))
        address, pid = str(state["address"]), int(state["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return address if _alive(pid) else None


def _embedded_token(home: Path) -> str:
    try:
        return (home / "token").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
