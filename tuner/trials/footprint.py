"""What it takes to use a model: how long it predicts, and how large it is saved."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tuner.datasets.base import Features
from tuner.learners import saved
from tuner.learners.base import Model
from tuner.record import Footprint

BATCH = 256
"""Examples of the larger of the two predictions that are timed."""

FEWEST, MOST = 5, 50
"""Timings of which the median counts: as many as fit into SECONDS, but so many."""

SECONDS = 0.3

_WARM_UP = 2
"""Predictions before the first that is timed: what is loaded, and caches."""


def footprint(model: Model, x: Features, device_share: float) -> tuple[Footprint, Exception | None]:
    """Returns the latencies of a model, with the threads that it was trained with, and its size.

    Beside them stands why it couldn't be saved, and so has no size; None where it could.

    Args:
        model: The model.
        x: Shape (examples, ...): what it is asked about, one after the other.
        device_share: What of a device the time is of.
    """
    start = time.monotonic()
    places = np.arange(MOST + _WARM_UP) % len(x)
    # Copies: a model of the user's own may scale what it is shown in place.
    ones = [x[place : place + 1].copy() for place in places]
    whole = x[np.arange(BATCH) % len(x)]
    one = _median_ms(lambda number: model.predict(ones[number]))
    batch = _median_ms(lambda _: model.predict(whole))
    size, unsaved = None, None
    try:
        size = _size(model)
    except Exception as error:  # noqa: BLE001 - a model of the user's own may raise anything
        unsaved = error
    return Footprint(one, batch, size, (time.monotonic() - start) * device_share), unsaved


def _size(model: Model) -> int:
    with tempfile.TemporaryDirectory(prefix="tuner-model-") as name:
        folder = Path(name) / "model"
        saved.save(model, folder, {})
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _median_ms(predict: Callable[[int], object]) -> float:
    """Returns the median of what predictions take, in milliseconds."""
    for number in range(_WARM_UP):
        predict(number)
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < MOST and (len(times) < FEWEST or time.perf_counter() < end):
        clock = time.perf_counter()
        predict(_WARM_UP + len(times))
        times.append(time.perf_counter() - clock)
    return 1000 * statistics.median(times)
