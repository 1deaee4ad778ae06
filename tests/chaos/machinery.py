"""What the chaos strikes: coordinators and PostgreSQL (see `rays` for Ray); each a process tree.

A service is started with `start`, `up` tells whether it serves, and whoever finds its processes
gone starts it again: see `keeper`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from tests.coordinator.store.postgres_server import find, other_user
from tests.health import serves
from tests.processes import Seen, descendants, kill_tree, look

ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """Returns what a service is started in: nothing of other stacks."""
    ours = ("TUNER_", "RAY_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"} | more


def ray_token(home: Path) -> dict[str, str]:
    """Returns the variables by which Ray's parts know each other."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(home / "ray-token")}


class Service(ABC):
    """One service, started again and again in the same place.

    Attributes:
        name: What it is called in reports.
        log: Where its output goes.
        starts: How often it was started.
        since: When it was started last, by the monotonic clock.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.starts = 0
        self.since = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its first process, where it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def tree(self) -> list[Seen]:
        """Returns its processes, the first one first."""
        root = look(self.pid) if self.pid else None
        return [root, *descendants(root.pid)] if root else []

    def start(self) -> None:
        """Starts it; see `up` for whether it serves yet."""
        self.starts += 1
        self.since = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Returns what starts it."""

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Returns the environment that it is started in."""

    @abstractmethod
    def up(self) -> bool:
        """Tells whether it serves now."""

    def kill(self) -> bool:
        """SIGKILLs all of it; tells whether there was anything."""
        return self.pid is not None and kill_tree(self.pid) > 0

    def stop(self, patience: float = 40.0) -> None:
        """Ends it in order; kills what is left after so many seconds."""
        if self._process is None:
            return
        if self.pid is not None:
            self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(10)

    stop_signal = signal.SIGTERM


class Coordinator(Service):
    """One of the coordinators on the database."""

    def __init__(
        self,
        name: str,
        home: Path,
        port: int,
        database: str,
        dashboard: str,
        advertise: str,
        **settings: str,
    ) -> None:
        super().__init__(name, home / f"{name}.log")
        self.address = f"127.0.0.1:{port}"
        self._home = home
        self._settings = {
            "STATE_DIR": str(home / name),
            "DATABASE_URL": database,
            "ARTIFACTS_DIR": str(home / "artifacts"),
            "TOKEN_FILE": str(home / "token"),
            "LISTEN": self.address,
            "ADVERTISE": advertise,
            "RAY_DASHBOARD": dashboard,
            "RUNNER_PYTHON": sys.executable,
            # Attempts in a row may be struck down before they record anything.
            "MAX_ATTEMPTS": "12",
            **settings,
        }

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "services.coordinator"]

    def environment(self) -> Mapping[str, str]:
        settings = {f"TUNER_COORDINATOR_{k}": v for k, v in self._settings.items()}
        return environment(**settings, **ray_token(self._home))

    def up(self) -> bool:
        return serves(self.address, "tuner.v1.TunerService")

    def leads(self) -> bool:
        """Tells whether it schedules."""
        return serves(self.address, "tuner.v1.Scheduler")


class Postgres(Service):
    """A PostgreSQL server that syncs what it commits. Raises PostgresMissingError."""

    stop_signal = signal.SIGINT  # fast: sessions are ended

    def __init__(self, name: str, home: Path) -> None:
        super().__init__(name, home / f"{name}.log")
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-pg-", dir="/tmp"))
        self._postgres = find("postgres")
        self._prefix: list[str] = []
        if os.geteuid() == 0:
            user = other_user()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            # PostgreSQL refuses to run as root. setpriv becomes it, so that it is the first process
            # and gets the signals; runuser would stay between.
            self._prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
            self._prefix.append("--clear-groups")
        self.url = f"postgresql://tuner@/tuner?host={self.folder}"

    def prepare(self) -> None:
        """Makes the data folder."""
        subprocess.run(
            [*self._prefix, find("initdb"), "-D", self._data, "-U", "tuner", "-A", "trust"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def command(self) -> Sequence[str]:
        where = ["-D", self._data, "-c", "listen_addresses=", "-k", str(self.folder)]
        return [*self._prefix, self._postgres, *where]

    def environment(self) -> Mapping[str, str]:
        return environment()

    def up(self) -> bool:
        where = f"host={self.folder} user=tuner dbname=postgres connect_timeout=2"
        try:
            with psycopg.connect(where, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def make_database(self) -> None:
        """Makes the coordinators' database."""
        where = f"host={self.folder} user=tuner dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute("CREATE DATABASE tuner")

    def one(self, query: str) -> object:
        """Returns the one value that a query of the coordinators' database gives, or None."""
        with psycopg.connect(f"host={self.folder} user=tuner dbname=tuner") as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None

    def kill_postmaster(self) -> bool:
        """SIGKILLs its first process alone: the others notice, and end in the middle of it."""
        return any(one.send(signal.SIGKILL) for one in self.tree()[:1])

    def stop_at_once(self) -> bool:
        """Has it end without a word to anybody: its immediate shutdown."""
        return any(one.send(signal.SIGQUIT) for one in self.tree()[:1])

    def remove(self) -> None:
        """Removes its folder, after it has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)
