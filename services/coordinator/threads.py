"""Threads for the store's calls, so that who reads never waits for those who write.

A batch of measurements holds its thread until it is durable; with the same few threads for
everything, a dozen busy runners would leave none for a person's look at a job.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")

# As many as the database keeps connections open for; they start when first needed.
_READERS = ThreadPoolExecutor(8, "tuner-read")
# Each waits for the disk most of the time, and what waits together is made durable together.
_RECORDERS = ThreadPoolExecutor(16, "tuner-record")


def answer_promptly() -> None:
    """Lets the loop and the readers' threads have their turn sooner. For a process of its own.

    Python's threads take turns of 5 ms by default, so that beside four batches that are judged
    a look at a job waits for 20 ms. And a collection of garbage stops them all: what was made
    by the start will never be any, so it needs no looking at.
    """
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def reading(call: Callable[_P, _Answer], *args: _P.args, **named: _P.kwargs) -> _Answer:
    """Makes a call that only reads the store, in a thread."""
    return await _in(_READERS, partial(call, *args, **named))


async def recording(call: Callable[_P, _Answer], *args: _P.args, **named: _P.kwargs) -> _Answer:
    """Makes a call that adds to a job's record, in a thread."""
    return await _in(_RECORDERS, partial(call, *args, **named))


async def _in(pool: ThreadPoolExecutor, call: Callable[[], _Answer]) -> _Answer:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, call)
