"""Which coordinator to speak to, and with which token."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from tuner.access import API_TOKEN
from tuner.channel import split_addresses
from tuner.errors import Status, TunerError
from tuner.tls import Tls, find_tls


def state_home() -> Path:
    """Returns the embedded services' folder: TUNER_HOME, or ~/.tuner."""
    return Path(os.environ.get("TUNER_HOME") or Path.home() / ".tuner").expanduser().absolute()


@dataclass(frozen=True)
class Endpoint:
    """A coordinator.

    Attributes:
        address: "host:port"; several with commas between, where they share one record.
        token: What proves who asks; empty where the coordinator wants none.
        embedded: Whether it is the one that `tuner up` starts here.
        tls: What it is trusted by; None for plaintext.
    """

    address: str
    token: str = field(default="", repr=False)
    embedded: bool = False
    tls: Tls | None = None


def find_endpoint(
    address: str | None = None, token: str | None = None, tls_ca: str | Path | None = None
) -> Endpoint:
    """Returns the coordinator that is meant.

    The arguments go first, then TUNER_ADDRESS and TUNER_TOKEN, then the
    embedded coordinator of this machine, with the token that it made: it isn't shown
    another coordinator's own, but whoever has set TUNER_TOKEN to an API token means to
    be its holder, and nobody who may do more. It is
    trusted as `tls_ca`, TUNER_TLS_CA or TUNER_TLS say; one of this machine that
    says that it speaks plaintext is spoken to in plaintext.

    Raises:
        TunerError: INVALID_ARGUMENT where the address is none, or a file of TLS
            can't be read; UNAVAILABLE, reason NO_COORDINATOR, where nothing is
            named and nothing is up.
    """
    named = address or os.environ.get("TUNER_ADDRESS", "")
    elsewhere = os.environ.get("TUNER_TOKEN", "")
    home = state_home()
    here = _embedded(home)
    if named:
        split_addresses(named)
        if here is None or here[0] != named:
            return Endpoint(named, token or elsewhere, tls=find_tls(tls_ca))
    if here is None:
        raise TunerError(
            Status.UNAVAILABLE,
            "NO_COORDINATOR",
            f"no coordinator is up in {home}; start one with `tuner up`, "
            "or name one with --address or TUNER_ADDRESS",
        )
    found, secured = here
    return Endpoint(
        found,
        token or _token_here(home, elsewhere),
        embedded=not named,
        tls=find_tls(tls_ca) if secured or tls_ca else None,
    )


def _embedded(home: Path) -> tuple[str, bool] | None:
    """Returns the address of the coordinator that lives in the folder, and whether it speaks TLS.

    None where there is none.
    """
    try:
        state = json.loads((home / "coordinator.json").read_text(encoding="utf-8"))
        address, pid = str(state["address"]), int(state["pid"])
        secured = bool(state.get("tls"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (address, secured) if _alive(pid) else None


def _token_here(home: Path, named: str) -> str:
    """Returns what to show the embedded coordinator, where TUNER_TOKEN is `named`."""
    if named.startswith(API_TOKEN):
        return named
    try:
        return (home / "token").read_text(encoding="utf-8").strip() or named
    except FileNotFoundError:
        return named


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
