"""What the conformance suite looks by: results' bits, global state, a deadline that can be set."""

from __future__ import annotations

import gc
import random
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from tuner.learners.base import Device, Result
from tuner.record import Member
from tuner.scoring import Predictions


@dataclass(frozen=True)
class ExpiringDevice(Device):
    """A device whose deadline passes at a given look at it, so that no clock is raced.

    Attributes:
        looks: Looks before it has passed.
    """

    looks: int = 0
    _seen: list[None] = field(default_factory=list)

    def expired(self) -> bool:
        """Tells whether the deadline was looked at that often."""
        self._seen.append(None)
        return len(self._seen) > self.looks


def check_predictions(p: Predictions, n: int, c: int) -> None:
    """Asserts that these are predictions of n examples.

    Args:
        p: What was predicted.
        n: Number of examples.
        c: Number of classes, whose probabilities sum to 1; 0 for a value an example.
    """
    assert p.shape == ((n, c) if c else (n,))
    assert p.dtype == np.float64
    assert np.isfinite(p).all()
    if c:
        assert (p >= 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)


def check_same(found: Result, expected: Result, tolerance: float) -> None:
    """Asserts that two results say the same: to the last bit where the tolerance is 0.

    Args:
        found: One.
        expected: The other.
        tolerance: Largest difference between two predictions.
    """
    member = found.member
    if not tolerance:
        assert bits({member: found}) == bits({member: expected}), f"{member} differs"
        return
    assert (found.member, found.outcome) == (expected.member, expected.outcome), found.error
    assert (found.parameters, found.scores) == (expected.parameters, expected.scores)
    for ours, theirs in (
        (found.predictions, expected.predictions),
        (found.train_predictions, expected.train_predictions),
    ):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=str(member))


def bits(results: Mapping[Member, Result]) -> dict[Member, tuple[object, ...]]:
    """Returns everything that must repeat exactly, which is all but time."""
    return {
        member: (
            r.outcome,
            r.parameters,
            *(None if p is None else p.tobytes() for p in (r.predictions, r.train_predictions)),
            *_scores(r.scores.items()),
        )
        for member, r in results.items()
    }


def _scores(items: Iterable[tuple[str, float]]) -> list[tuple[str, str]]:
    return sorted((name, value.hex()) for name, value in items)


@contextmanager
def traced_memory() -> Iterator[Callable[[], int]]:
    """Yields a function that returns the bytes held now: Python's, NumPy's and torch's tensors'."""
    gc.collect()
    gc.freeze()  # what is there already is looked at no more, which takes most of the time
    tracemalloc.start()

    def held() -> int:
        gc.collect()
        found = tracemalloc.get_traced_memory()[0]
        if (torch := sys.modules.get("torch")) is not None:
            found += sum(
                o.numel() * o.element_size()
                for o in gc.get_objects()
                if type(o) in (torch.Tensor, torch.nn.Parameter)
            )
        return found

    try:
        yield held
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def draw_globally() -> None:
    """Moves every global random state on."""
    random.random()
    np.random.random_sample()
    if (torch := sys.modules.get("torch")) is not None:
        torch.rand(1)


def global_state() -> tuple[object, ...]:
    """Returns what a learner must not change: random states, torch's threads and switches."""
    numpy_state = np.random.get_state(legacy=False)
    state: list[object] = [random.getstate(), repr(numpy_state)]
    if (torch := sys.modules.get("torch")) is not None:
        state += [
            torch.get_rng_state().numpy().tobytes(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
        ]
    return tuple(state)
