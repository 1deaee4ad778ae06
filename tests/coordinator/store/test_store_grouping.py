"""Writers share a transaction: each one's work is its own, and none is told too early."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.coordinator.store import grouping
from services.coordinator.store.database import Database
from services.coordinator.store.errors import UnavailableError
from services.coordinator.store.grouping import Group

Work = Callable[[sa.Connection], object]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'group.db'}")) as opened:
        with opened.write() as connection:
            connection.exec_driver_sql("CREATE TABLE words (word TEXT PRIMARY KEY)")
        yield opened


def _put(word: str) -> Work:
    return lambda connection: (
        connection.exec_driver_sql("INSERT INTO words VALUES (?)", (word,)).rowcount
    )


def _words(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.exec_driver_sql("SELECT word FROM words").scalars())


def _together(database: Database, works: list[Work]) -> list[Future[object]]:
    """Has works done from as many threads, all but the first in one transaction."""
    begun, go = threading.Event(), threading.Event()

    def first(_: sa.Connection) -> None:
        begun.set()
        assert go.wait(30)

    with ThreadPoolExecutor(len(works) + 1) as pool:
        leader = pool.submit(database.written, first)
        assert begun.wait(30)
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1  # readers don't wait
        futures = []
        for number, work in enumerate(works, 1):
            futures.append(pool.submit(database.written, work))
            _until(lambda number=number: len(database._group._waiting) == number)
        go.set()
        leader.result(30)
    return futures


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_works_that_wait_share_one_commit_and_each_gets_its_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    sa.event.listen(database._writers, "commit", lambda connection: commits.append(connection))
    # Nobody joins the first one's transaction, which lasts until all others wait.
    monkeypatch.setattr(grouping, "MOST_SECONDS", 0.0)
    _together(database, [_put("a")])
    assert len(commits) == 2
    monkeypatch.setattr(grouping, "MOST_SECONDS", 30.0)
    futures = _together(database, [_put(str(n)) for n in range(12)])
    assert [future.result() for future in futures] == [1] * 12
    assert len(commits) == 3
    assert _words(database) == {"a", *map(str, range(12))}


def test_a_work_that_fails_is_undone_alone(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        _put("gone")(connection)
        raise KeyError("mine")

    futures = _together(database, [_put("a"), fail, _put("a"), _put("b")])
    kinds = [type(future.exception()) for future in futures]
    assert kinds == [type(None), KeyError, sa.exc.IntegrityError, type(None)]
    assert _words(database) == {"a", "b"}


def test_a_commit_that_fails_fails_them_all_and_the_next_one_succeeds(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("COMMIT", (), Exception("no space left"))

    sa.event.listen(database._writers, "commit", fail)
    works = [_put("a"), _put("b"), lambda _: {}["mine"]]
    with pytest.raises(UnavailableError, match="no space left"):
        database.written(_put("c"))
    errors: list[BaseException] = []

    def write(work: Work) -> None:
        try:
            database.written(work)
        except (UnavailableError, KeyError) as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(e).__name__ for e in errors) == ["KeyError"] + ["UnavailableError"] * 2
    assert len({id(error) for error in errors}) == 3
    assert _words(database) == set()
    sa.event.remove(database._writers, "commit", fail)
    database.written(_put("a"))
    assert _words(database) == {"a"}


def test_a_database_that_cant_be_written_fails_all_who_wait(tmp_path: Path) -> None:
    group = Group(Database(f"sqlite:///{tmp_path}").write, lambda error: error)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="unable to open"):
            group.run(_put("a"))


def test_transactions_are_bounded_and_so_is_the_queue(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    sa.event.listen(database._writers, "commit", lambda connection: commits.append(connection))
    monkeypatch.setattr(grouping, "MOST_WORKS", 3)
    monkeypatch.setattr(grouping, "MOST_SECONDS", 30.0)
    _together(database, [_put(str(n)) for n in range(7)])
    assert len(commits) == 3  # 1 + 2, 3, 2
    monkeypatch.setattr(grouping, "MOST_WAITING", 0)
    with pytest.raises(UnavailableError, match="wait for the database already"):
        database.written(_put("late"))
    monkeypatch.undo()
    database.written(_put("in time"))
    assert "in time" in _words(database)


def test_an_interrupt_of_the_leader_is_raised_and_loses_nobody_else(database: Database) -> None:
    def interrupted(_: sa.Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.written(interrupted)
    assert database.written(_put("a")) == 1
    assert _words(database) == {"a"}


def test_what_one_thread_was_told_is_there_for_another(database: Database) -> None:
    def write(thread: int) -> None:
        for number in range(30):
            word = f"{thread}/{number}"
            database.written(_put(word))
            assert word in _words(database)

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(write, thread) for thread in range(6)]:
            future.result(60)
    assert len(_words(database)) == 180
