"""What one coordinator has to itself: its state folder, and a SQLite file wherever it is."""

from __future__ import annotations

import fcntl
from contextlib import ExitStack
from pathlib import Path

from services.coordinator.settings import Settings
from services.coordinator.store.engines import parsed
from tuner.errors import Status, TunerError

LOCK_FILE = "coordinator.lock"


def locked(settings: Settings) -> ExitStack:
    """Locks what the settings name, until the answer is closed or the process ends.

    Raises:
        TunerError: FAILED_PRECONDITION where another coordinator has it;
            INVALID_ARGUMENT where the database's address is none.
    """
    state = settings.state_dir
    with ExitStack() as locks:
        advice = "stop it, or set TUNER_COORDINATOR_STATE_DIR to another folder"
        _lock(locks, state / LOCK_FILE, f"the state folder {state}; {advice}")
        address = parsed(settings.store_url)
        if address.get_backend_name() == "sqlite":
            database = Path(str(address.database)).absolute()
            if database.parent != state:
                database.parent.mkdir(parents=True, exist_ok=True)
                advice = "stop it, or give both a PostgreSQL, which coordinators can share"
                path = database.with_name(f"{database.name}.lock")
                _lock(locks, path, f"the database {database}; {advice}")
        return locks.pop_all()


def _lock(locks: ExitStack, path: Path, what: str) -> None:
    file = locks.enter_context(path.open("w", encoding="utf-8"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TunerError(
            Status.FAILED_PRECONDITION, "STATE_IN_USE", f"another coordinator has {what}"
        ) from error
