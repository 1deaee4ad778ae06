"""A private PostgreSQL server for the tests, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


class PostgresMissingError(Exception):
    """There is no PostgreSQL to start here; says why."""


@contextmanager
def server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Starts a server that listens on a socket alone, and stops it.

    Args:
        durable: Whether a commit is to survive a loss of power, as benchmarks want it.
    """
    initdb, postgres, pg_ctl = (find(name) for name in ("initdb", "postgres", "pg_ctl"))
    prefix: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="tuner-pg-"))
    try:
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            user = other_user()
            os.chown(folder, user.pw_uid, user.pw_gid)
            prefix = ["runuser", "-u", user.pw_name, "--"]
        data = folder / "data"

        def run(*command: object) -> None:
            done = subprocess.run(
                [*prefix, *map(str, command)],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stdout

        run(initdb, "-D", data, "-U", "tuner", "-A", "trust", "-E", "UTF8", "--no-sync")
        # No network, and nothing to survive a loss of power unless asked for.
        options = f"{'' if durable else '-F '}-c listen_addresses='' -k {folder}"
        control = (pg_ctl, "-D", data, "-l", folder / "log", "-o", options, "-p", postgres, "-w")
        running = PostgresServer(folder, lambda *what: run(*control, *what))
        running.start()
        try:
            yield running
        finally:
            running.stop("immediate")
    finally:
        shutil.rmtree(folder)


class PostgresServer:
    def __init__(self, folder: Path, control: Callable[..., None]) -> None:
        self._folder = folder
        self._control = control

    def start(self) -> None:
        self._control("start")

    def stop(self, how: str = "fast") -> None:
        self._control("-m", how, "stop")

    def processes(self) -> list[int]:
        """The ids of its processes, the first one's first."""
        first = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, others)]

    def new_database(self) -> str:
        """Makes an empty database and returns its address."""
        name = f"t{uuid.uuid4().hex}"
        self._administer(f'CREATE DATABASE "{name}"')
        return f"postgresql://tuner@/{name}?host={self._folder}"

    def _administer(self, statement: str) -> None:
        where = f"host={self._folder} user=tuner dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement)


def find(name: str) -> str:
    """Returns the path of one of PostgreSQL's programs. Raises PostgresMissingError."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise PostgresMissingError(f"PostgreSQL's {name} is not installed")
    return found


def other_user() -> pwd.struct_passwd:
    """Returns whom root has PostgreSQL run as. Raises PostgresMissingError."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissingError("PostgreSQL won't run as root, and there is no other user")
