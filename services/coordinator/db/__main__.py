"""`python -m services.coordinator.db upgrade|check|backup FILE`, which `tuner db` runs.

The database is that of the coordinator's settings. Data goes to stdout, talk to stderr; the
exit code is 0 where all is well, 1 where it isn't, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from pydantic import ValidationError

from services.coordinator.db.backup import back_up
from services.coordinator.db.checking import findings
from services.coordinator.settings import Settings
from services.coordinator.store.database import Database
from services.coordinator.store.errors import StoreError
from services.coordinator.store.schema import migrate, newest
from tuner.errors import Status, TunerError, invalid

MOST_FINDINGS = 100


def main(arguments: list[str] | None = None) -> int:
    """Does what the arguments say; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tuner db", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("upgrade", help="bring the schema to this version's")
    commands.add_parser("check", help="tell whether the database is whole")
    commands.add_parser("backup", help="copy it").add_argument("file", type=Path)
    asked = parser.parse_args(arguments)
    try:
        database = Database(Settings().store_url)
        try:
            if asked.command == "upgrade":
                return upgrade(database)
            _present(database)
            if asked.command == "check":
                return check(database)
            return backup(database, asked.file)
        finally:
            database.close()
    except ValidationError as error:
        return _told(str(error), 2)
    except TunerError as error:
        problems = [f"{v.field}: {v.problem}" for v in error.violations] or [error.message]
        return _told("; ".join(problems), 2 if error.status is Status.INVALID_ARGUMENT else 1)
    except StoreError as error:
        return _told(str(error), 1)


def upgrade(database: Database) -> int:
    """Migrates the schema, and says from what to what."""
    with database.write() as connection:
        before, after = migrate(connection)
    if before == after:
        _say(f"the schema is at revision {after} already")
    else:
        _say(f"upgraded from {'an empty database' if before is None else before} to {after}")
    return 0


def check(database: Database) -> int:
    """Says what is wrong with the database, if anything."""
    with database.read() as connection:
        wrong = list(itertools.islice(findings(connection), MOST_FINDINGS))
    for finding in wrong:
        _say(finding)
    if len(wrong) == MOST_FINDINGS:
        _say(f"and perhaps more: these are the first {MOST_FINDINGS}")
    if not wrong:
        _say(f"whole; the schema is at revision {newest()}, which is this version's")
    return 1 if wrong else 0


def backup(database: Database, file: Path) -> int:
    """Copies the database to a file, and says how to restore it."""
    advice = back_up(database.url, file)
    _say(str(file))
    print(advice, file=sys.stderr)  # noqa: T201
    print("uploaded and made files aren't in it: copy the artifacts' folder too", file=sys.stderr)  # noqa: T201
    return 0


def _present(database: Database) -> None:
    """Passes a database that is there: looking at SQLite's would make it."""
    file = Path(str(database.url.database))
    if database.is_sqlite and not file.is_file():
        raise invalid("database", f"there is no database {file}; name one with --database")


def _say(text: str) -> None:
    print(text)  # noqa: T201


def _told(problem: str, code: int) -> int:
    print(f"error: {problem}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
