"""A consistent copy of a database, live or not, in a file that wasn't there."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from tuner.errors import Status, TunerError, invalid

_DEBIAN = "/usr/lib/postgresql"
"""Where Debian's packages have the programs of each version."""


def back_up(url: sa.URL, file: Path) -> str:
    """Copies a database to a file, which is on the disk when this returns.

    Args:
        url: The database's address.
        file: The copy; its folder must be there.

    Returns:
        How to restore it, in a few lines.

    Raises:
        TunerError: INVALID_ARGUMENT where the file is there already or its folder isn't;
            FAILED_PRECONDITION where it can't be copied.
    """
    if url.get_backend_name() == "sqlite":
        with _draft(file) as draft:
            _copy(Path(str(url.database)), draft)
        return (
            f"to restore: stop the coordinator, remove {url.database}-wal and "
            f"{url.database}-shm,\ncopy {file} to {url.database}, and start it again"
        )
    with _draft(file) as draft:
        _dump(url, draft)
    return (
        "to restore: stop every coordinator, then\n"
        f"createdb NEW && pg_restore --no-owner --exit-on-error --dbname=NEW {file}\n"
        "and start them with TUNER_COORDINATOR_DATABASE_URL naming NEW"
    )


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """Yields a file to write to, which takes the other's name, synced, when all went well."""
    if file.exists():
        raise _taken(file)
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield draft
            _sync(draft)
            # Unlike a renaming, a link takes nothing's place.
            os.link(draft, file)
        finally:
            draft.unlink(missing_ok=True)
        _sync(file.parent)
    except FileExistsError as error:
        raise _taken(file) from error
    except FileNotFoundError as error:
        raise invalid("file", f"there is no folder {file.parent}; make it first") from error
    except OSError as error:
        raise _failed(f"{file} can't be written: {error.strerror}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Path, draft: Path) -> None:
    """Copies by SQLite's own means, in one step: from one snapshot, beside whoever writes."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(draft)) as copy,
        ):
            live.backup(copy, pages=-1)
            (said,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            # A file of its own, without the log that a live one has beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise _failed(f"{source} can't be copied: {error}") from error
    if said != "ok":
        raise _failed(f"the copy is damaged, and so is {source}: {said}; run `tuner db check`")


def _dump(url: sa.URL, draft: Path) -> None:
    folders = sorted(Path(_DEBIAN).glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)])
    program = shutil.which("pg_dump", path=path)
    if program is None:
        raise _failed("pg_dump isn't installed here; install PostgreSQL's client, or run it there")
    address = url.set(drivername="postgresql", password=None).render_as_string(False)
    # Whoever lists processes sees arguments, and not the environment.
    secret = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    done = subprocess.run(
        [program, "--format=custom", f"--file={draft}", f"--dbname={address}", "--no-password"],
        env=os.environ | secret,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise _failed(f"pg_dump failed: {done.stderr.strip()}")


def _taken(file: Path) -> TunerError:
    return invalid("file", f"{file} is there already; give another name")


def _failed(problem: str) -> TunerError:
    return TunerError(Status.FAILED_PRECONDITION, "BACKUP_FAILED", problem)
