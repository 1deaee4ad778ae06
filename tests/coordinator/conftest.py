import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from coordinator_harness import TOKEN, House, ScriptedGateway, house_settings
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from services.coordinator import curves
from tuner.cli.main import app


class Lent(Executor):
    """One pool for every coordinator: starting its processes takes longer than their work."""

    pool: ProcessPoolExecutor | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Starts the pool where there is none, or none that works."""
        if Lent.pool is None:
            Lent.pool = ProcessPoolExecutor(*arguments, **options)

    def submit(self, work: Callable[..., Any], /, *values: Any, **named: Any) -> Future[Any]:
        if Lent.pool is None:
            raise BrokenProcessPool("the pool was ended")
        return Lent.pool.submit(work, *values, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Keeps the processes for the next coordinator, unless one of them has died."""
        try:
            self.submit(int)
        except BrokenProcessPool:
            self.end()

    @classmethod
    def end(cls) -> None:
        if cls.pool is not None:
            cls.pool.shutdown()
        cls.pool = None


@pytest.fixture(scope="session")
def processes() -> Iterator[type[Lent]]:
    yield Lent
    Lent.end()


@pytest.fixture
async def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: type[Lent]
) -> AsyncIterator[House]:
    """A running coordinator with a scripted cluster."""
    monkeypatch.setenv("TUNER_TOKEN", TOKEN)
    monkeypatch.setattr(curves, "ProcessPoolExecutor", processes)
    house = House(house_settings(tmp_path), ScriptedGateway())
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
def tuner(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Coroutine[None, None, Result]]]:
    """Runs a command as `ada`, in a thread beside the coordinator.

    The coordinator's log, in the same process, would stand amid what it prints, and is left out.
    """
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setenv("COLUMNS", "200")

    async def call(*arguments: object, token: str = TOKEN) -> Result:
        words = ["--address", house.coordinator.address, *map(str, arguments)]
        return await asyncio.to_thread(CliRunner().invoke, app, words, env={"TUNER_TOKEN": token})

    with capture_logs():
        yield call
