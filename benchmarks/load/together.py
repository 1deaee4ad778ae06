"""Functions in processes of their own that begin at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any, TypeVar

T = TypeVar("T")

_LONGEST = 900.0
"""Seconds that any of it may take."""


def together(*work: tuple[Callable[..., T], Sequence[object]]) -> list[T]:
    """Calls each function with a barrier and its arguments, in fresh processes.

    Each prepares, waits at the barrier, then begins.

    Returns:
        The answers, in order.
    """
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(len(work)), context.Queue()
    processes = [
        context.Process(target=_call, args=(answers, barrier, place, function, arguments))
        for place, (function, arguments) in enumerate(work)
    ]
    for process in processes:
        process.start()
    got: dict[int, T] = {}
    for _ in processes:
        place, answer = answers.get(timeout=_LONGEST)
        if isinstance(answer, Exception):
            for process in processes:
                process.terminate()
            raise answer
        got[place] = answer
    for process in processes:
        process.join()
    return [got[place] for place in range(len(work))]


def _call(
    answers: Queue[tuple[int, Any]],
    barrier: Barrier,
    place: int,
    function: Callable[..., Any],
    arguments: Sequence[object],
) -> None:
    try:
        answers.put((place, function(barrier, *arguments)))
    except Exception as error:
        barrier.abort()
        answers.put((place, RuntimeError(f"{function.__name__}: {error!r}")))
        raise
