"""Predictions and truths come back from their bytes, to float32's rounding, and hold no pickle."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tuner import predictions, scoring
from tuner.predictions import Truth, decode, encode

FINITE = st.floats(-1e30, 1e30)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=2), elements=FINITE))
def test_predictions_come_back_to_float32(values: np.ndarray) -> None:
    found = decode(encode(values))
    assert found.dtype == np.float64
    assert np.array_equal(found, values.astype(np.float32).astype(np.float64))


def test_scores_of_what_comes_back_are_those_that_went_in() -> None:
    chance = np.random.default_rng(0)
    p, y = chance.dirichlet(np.ones(5), 500), chance.integers(0, 5, 500)
    before, after = scoring.scores(p, y), scoring.scores(decode(encode(p)), y)
    assert set(before) == set(after)
    for metric, score in before.items():
        assert after[metric] == pytest.approx(score, rel=1e-6, abs=1e-7), metric


@pytest.mark.parametrize("groups", [None, np.array([3, 3, 9])])
def test_a_truth_comes_back_and_has_the_same_bytes_each_time(groups: np.ndarray | None) -> None:
    truth = Truth(np.array([0, 2, 1]), np.array([7, 1, 4]), ("ä", "dog", "0"), groups)
    data = truth.to_bytes()
    assert data == truth.to_bytes()
    found = Truth.from_bytes(data)
    assert found.classes == truth.classes
    for name in ("y", "rows", "groups"):
        np.testing.assert_array_equal(getattr(found, name), getattr(truth, name))


def test_a_regressions_truth_has_no_classes() -> None:
    found = Truth.from_bytes(Truth(np.array([0.1, 2.5]), np.arange(2)).to_bytes())
    assert found.classes == ()
    assert found.groups is None
    assert found.y.tolist() == [0.1, 2.5]


def _pickled() -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.array([{}], dtype=object), allow_pickle=True)
    return zlib.compress(out.getvalue())


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", encode(np.ones(9))[:-3], zlib.compress(b"no array"), _pickled()]
)
def test_damaged_or_pickled_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(data)


def test_what_would_unpack_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="too large"):
        decode(encode(np.zeros(10_000)))


def test_damaged_truths_are_refused() -> None:
    data = Truth(np.arange(3), np.arange(3), ("a", "b", "c")).to_bytes()
    out = io.BytesIO()
    np.savez(out, y=np.arange(3))
    for bad in (b"", b"nonsense", data[: len(data) // 2], out.getvalue()):
        with pytest.raises(ValueError, match="no truth"):
            Truth.from_bytes(bad)
