"""The embedded services' folder: what runs, logs, Ray's token."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuner.cli.embedded.processes import Process
from tuner.client.endpoint import state_home
from tuner.errors import Status, TunerError


@dataclass(frozen=True)
class Record:
    """What was started.

    Attributes:
        ray: The Ray head.
        coordinator: The coordinator.
        dashboard: The Ray dashboard's address.
        ray_folder: Ray's own temporary folder.
        listen: "host:port" of the coordinator, kept when it is started again,
            because runners call it there.
    """

    ray: Process | None = None
    coordinator: Process | None = None
    dashboard: str = ""
    ray_folder: str = ""
    listen: str = ""


class Home:
    """The folder, which only its owner can read."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or state_home()

    @property
    def logs(self) -> Path:
        """Where the services' output goes."""
        return self.path / "logs"

    @property
    def ray_token(self) -> Path:
        """The file of the secret that Ray's parts share."""
        return self.path / "ray-token"

    @property
    def _record(self) -> Path:
        return self.path / "embedded.json"

    def prepare(self) -> None:
        """Makes the folder and Ray's token.

        Raises:
            TunerError: FAILED_PRECONDITION where it can't be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self._make_token()
        except OSError as error:
            raise TunerError(
                Status.FAILED_PRECONDITION,
                "BAD_HOME",
                f"{self.path} can't be written ({error.strerror}); name another folder "
                "with TUNER_HOME",
            ) from error

    def _make_token(self) -> None:
        try:
            descriptor = os.open(self.ray_token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(32))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second `up` or `down` waiting until this one is done."""
        with (self.path / "embedded.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self) -> Record:
        """Returns what was started; an empty record where nothing was."""
        try:
            data = json.loads(self._record.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return Record()
        except ValueError as error:
            raise TunerError(
                Status.FAILED_PRECONDITION,
                "BAD_HOME",
                f"{self._record} is damaged ({error}); end the services that it named, "
                "then remove it",
            ) from error
        return Record(
            ray=_process(data["ray"]),
            coordinator=_process(data["coordinator"]),
            dashboard=data["dashboard"],
            ray_folder=data["ray_folder"],
            listen=data["listen"],
        )

    def write(self, record: Record) -> None:
        """Writes what was started, whole or not at all."""
        data = {
            "ray": vars(record.ray) if record.ray else None,
            "coordinator": vars(record.coordinator) if record.coordinator else None,
            "dashboard": record.dashboard,
            "ray_folder": record.ray_folder,
            "listen": record.listen,
        }
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        draft.replace(self._record)

    def environment(self) -> dict[str, str]:
        """Returns this process's environment, with Ray's token and without other clusters."""
        elsewhere = ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "TUNER_ADDRESS", "TUNER_TOKEN")
        kept = {k: v for k, v in os.environ.items() if k not in elsewhere}
        return kept | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.ray_token)}


def _process(data: dict[str, object] | None) -> Process | None:
    return Process(int(str(data["pid"])), str(data["started"])) if data else None


def tail(log: Path, lines: int = 15) -> str:
    """Returns the last lines of a log, indented."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "  (no log)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"
