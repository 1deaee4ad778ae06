"""Corruptions follow from inputs, strength, seed and training part, and hurt more as they grow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from tuner.catalog import PERTURBATIONS
from tuner.datasets import registry as sources
from tuner.datasets.base import Fold, Request
from tuner.datasets.filling import Filling
from tuner.datasets.splits import Splits
from tuner.learners import registry as learners
from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.robustness import corruptions
from tuner.robustness.base import Disturbed, Effort, Victim
from tuner.robustness.registry import disturb
from tuner.search.tuning import default_setting
from tuner.spec import Search, Split

SEVERITIES = (1, 2, 3, 4, 5)
STRENGTHS = {
    "shift": (1, 2),
    "noise": SEVERITIES,
    "blur": SEVERITIES,
    "contrast": SEVERITIES,
    "missing": (0.01, 0.2, 0.5, 0.95),
}
ON_IMAGES = ("shift", "noise", "blur", "contrast")
ON_TABLES = ("noise", "missing")
QUICK = settings(max_examples=25, deadline=None)


class Untouchable:
    """A model that corruptions have no business with."""

    def __getattr__(self, name: str):
        raise AssertionError(f"a corruption asked the model for its {name}")


def victim(x: np.ndarray, trained: np.ndarray) -> Victim:
    """Returns inputs that can't be written to, and what a model was trained on."""
    for part in (x, trained):
        part.setflags(write=False)
    y, y_trained = np.zeros(len(x), np.int64), np.zeros(len(trained), np.int64)
    return Victim(Untouchable(), x, y, Fold(0, 7, trained, y_trained, x, y, 2))


def run(name: str, shown: Victim, strength: float, seed: int = 3) -> Disturbed:
    return disturb(name)(shown, strength, Effort(), seed, Device())


@st.composite
def victims(draw: st.DrawFn, name: str) -> Victim:
    """Returns images or a table, in any range, some of it beyond what training has."""
    n = draw(st.integers(1, 6))
    kinds = ["images"] * (name in ON_IMAGES) + ["table"] * (name in ON_TABLES)
    if draw(st.sampled_from(kinds)) == "images":
        sides = st.integers(3, 9)
        shape = (draw(st.sampled_from([1, 3])), draw(sides), draw(sides))
    else:
        shape = (draw(st.integers(1, 5)),)
    low = draw(st.sampled_from([0.0, -1.0, 100.0, -1e4]))
    wide = draw(st.sampled_from([1.0, 255.0, 1e-3, 0.0]))
    beyond = draw(st.sampled_from([1.0, 1.5]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))

    def values(count: int, times: float) -> np.ndarray:
        return (low + wide * times * random.random((count, *shape))).astype(np.float32)

    return victim(values(n, beyond), values(n + 2, 1.0))


cases = pytest.mark.parametrize("name", STRENGTHS)


def test_they_are_all_there_is() -> None:
    assert set(STRENGTHS) == {p.name for p in PERTURBATIONS.values() if p.group == "corruption"}


@cases
@QUICK
@given(data=st.data())
def test_inputs_keep_shape_and_range(name: str, data: st.DataObject) -> None:
    """And nothing is written to what came in: it can't be."""
    shown = data.draw(victims(name))
    found = run(name, shown, data.draw(st.sampled_from(STRENGTHS[name])))
    assert found.x.shape == (found.copies * len(shown.x), *shown.x.shape[1:])
    assert found.x.dtype == np.float32
    assert not np.shares_memory(found.x, shown.x)
    copies = found.x.reshape(found.copies, *shown.x.shape)
    if name in ON_TABLES:  # what training has, and what an example itself has
        trained = shown.fold.x
        alone = 0 if trained.ndim == 2 else None
        low = np.minimum(trained.min(axis=alone), shown.x)
        high = np.maximum(trained.max(axis=alone), shown.x)
        assert (copies >= low).all()
        assert (copies <= high).all()
    else:  # a mixture of what a channel of the image has, but for rounding
        low, high = (f(shown.x, axis=(2, 3), keepdims=True) for f in (np.min, np.max))
        rounding = 1e-6 * np.maximum(abs(low), abs(high))
        assert (copies >= low - rounding).all()
        assert (copies <= high + rounding).all()


@cases
@QUICK
@given(data=st.data())
def test_the_same_seed_gives_the_same_bits(name: str, data: st.DataObject) -> None:
    """Whatever the model, and whatever global random state is; which is left as it was."""
    shown = data.draw(victims(name))
    strength = data.draw(st.sampled_from(STRENGTHS[name]))
    once = run(name, shown, strength)
    state = np.random.get_state()[1].tolist()
    again = run(name, shown, strength)
    assert np.random.get_state()[1].tolist() == state
    assert once.x.tobytes() == again.x.tobytes()


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("name", ["noise", "missing"])
def test_another_seed_gives_others(name: str) -> None:
    shown = victim(image(20, 6), image(50, 6, seed=1))
    strength = STRENGTHS[name][1]
    assert (run(name, shown, strength, 3).x != run(name, shown, strength, 4).x).any()


def digits(channels: int, side: int) -> np.ndarray:
    """Returns some digits from 0 to 1, their 8 pixels a side made more, each channel turned."""
    x = sources.load("digits", Request()).x[:40]
    x = np.kron(x, np.ones((side // 8, side // 8), np.float32))
    return np.concatenate([np.rot90(x, turns, (2, 3)) for turns in range(channels)], axis=1)


@pytest.mark.parametrize("name", ["blur", "contrast", "noise"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 32])
@pytest.mark.parametrize(("low", "wide"), [(0, 1), (0, 255), (-1, 2)])
def test_images_are_distorted_more_at_each_severity(
    name: str, channels: int, side: int, low: float, wide: float
) -> None:
    x = np.float32(low) + np.float32(wide) * digits(channels, side)
    shown = victim(x[:10], x[10:])
    far = [np.mean(((run(name, shown, s).x - shown.x) / wide) ** 2) for s in SEVERITIES]
    assert far[0] > 1e-3
    for less, more in pairwise(far):
        assert more > 1.1 * less


def test_stronger_noise_is_the_same_noise() -> None:
    """Where no end of the range is near, by just the factor of its table."""
    wide = np.array([-100, 100], np.float32)
    for trained, shape, table in (
        (np.full((2, 1, 4, 4), wide[:, None, None, None]), (5, 1, 4, 4), corruptions.NOISE),
        (np.full((2, 3), wide[:, None]), (5, 3), corruptions.TABLE_NOISE),
    ):
        shown = victim(np.zeros(shape, np.float32), trained * 1e3)
        # Of the same draws: whatever lies within at the strongest does so at all.
        noises = {severity: run("noise", shown, severity).x for severity in SEVERITIES}
        inside = np.abs(noises[5]) < 0.99 * 1e5
        assert inside.sum() > 5
        for severity in SEVERITIES:
            unit = noises[severity][inside] / table[severity]
            assert unit == pytest.approx(noises[1][inside] / table[1], rel=1e-4)


@pytest.mark.parametrize(
    ("table", "shape", "unit"),
    [
        (corruptions.NOISE, (200, 1, 8, 8), 255.0),  # of the range
        (corruptions.TABLE_NOISE, (3000, 4), 255 / 12**0.5),  # of the deviation of a column
    ],
)
def test_noise_has_the_deviation_of_its_table(table, shape, unit: float) -> None:
    trained = 255 * image(*shape)
    shown = victim(np.full(shape, 127.5, np.float32), trained)
    for severity in (1, 2):  # the ends of the range are four deviations away, or more
        off = run("noise", shown, severity).x - shown.x
        assert np.std(off) == pytest.approx(table[severity] * unit, rel=0.05)
        assert abs(np.mean(off)) < 0.05 * table[severity] * unit


def test_noise_leaves_constant_columns_and_what_lies_outside_of_training() -> None:
    trained = image(50, 3)
    trained[:, 1] = 5
    x = image(20, 3, seed=1)
    x[:, 1], x[0, 2] = 6, 40
    found = run("noise", victim(x, trained), 5).x
    assert (found[:, 1] == 6).all()  # it is 5 in training, and nothing else is known
    assert (found[:, 0] != x[:, 0]).all()
    # It may move towards what there is, and no further away.
    assert 30 < found[0, 2] <= 40


@pytest.mark.parametrize("name", ["noise", "blur", "contrast", "shift"])
def test_constant_images_stay_where_nothing_else_is_known(name: str) -> None:
    same = np.full((4, 3, 6, 6), 0.25, np.float32)
    assert (run(name, victim(same, same.copy()), STRENGTHS[name][0]).x == 0.25).all()


def test_contrast_goes_towards_the_mean_of_each_channel() -> None:
    shown = victim(
        image(4, 3, 5, 5) * np.array([1, 10, 100], np.float32)[:, None, None], image(9, 3, 5, 5)
    )
    for severity, left in corruptions.CONTRAST.items():
        found = run("contrast", shown, severity).x
        means = shown.x.mean(axis=(2, 3), keepdims=True)
        assert found.mean(axis=(2, 3), keepdims=True) == pytest.approx(means, rel=1e-4)
        assert found - means == pytest.approx(left * (shown.x - means), rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("side", [9, 27, 81])
def test_blur_is_as_wide_as_its_table_says(side: int) -> None:
    """A point becomes a bell of that standard deviation, in shares of the side."""
    point = np.zeros((1, 1, side, side), np.float32)
    point[0, 0, side // 2, side // 2] = 1
    for severity, share in corruptions.BLUR.items():
        found = run("blur", victim(point.copy(), point.copy()), severity).x[0, 0].astype(float)
        assert found.sum() == pytest.approx(1, abs=1e-4)
        off = np.arange(side) - side // 2
        # A bell that is sampled at whole pixels is narrower than it is, when it is that narrow.
        expected = pytest.approx(share * side, rel=0.2 if side == 9 else 0.01)
        assert np.sqrt((found.sum(axis=0) * off**2).sum()) == expected
        assert np.sqrt((found.sum(axis=1) * off**2).sum()) == expected


def test_blur_is_as_wide_as_high_where_the_sides_differ() -> None:
    """Of the side of a square of the same area."""
    points = {}
    for shape in ((9, 81), (27, 27)):
        point = np.zeros((1, 1, *shape), np.float32)
        point[0, 0, shape[0] // 2, shape[1] // 2] = 1
        found = run("blur", victim(point, point.copy()), 1).x[0, 0]
        rows, columns = (side // 2 + np.arange(-4, 5) for side in shape)
        points[shape] = found[np.ix_(rows, columns)]
    # But for rows next to an edge, which get some of themselves again from beyond it.
    assert points[9, 81][2:-2] == pytest.approx(points[27, 27][2:-2], rel=0.02)


def test_blur_finds_the_edge_again_beyond_the_edge() -> None:
    x = image(2, 3, 6, 6)
    far = np.pad(x, ((0, 0), (0, 0), (9, 9), (9, 9)), mode="edge")
    for severity, share in corruptions.BLUR.items():
        sigma = share * 6
        alone = gaussian_filter(far, (0, 0, sigma, sigma))[:, :, 9:-9, 9:-9]
        found = run("blur", victim(x.copy(), x.copy()), severity).x
        assert found == pytest.approx(alone, abs=1e-6)


def test_blur_keeps_images_and_channels_apart() -> None:
    x = np.zeros((2, 3, 8, 8), np.float32)
    x[0, 1] = 1
    found = run("blur", victim(x, x.copy()), 5).x
    assert found == pytest.approx(x, abs=1e-6)


def test_blur_of_many_images_is_that_of_each() -> None:
    shown = victim(image(130, 1, 6, 6), image(9, 1, 6, 6))
    found = run("blur", shown, 3).x
    for place in (0, 63, 64, 129):
        alone = victim(shown.x[place : place + 1].copy(), shown.fold.x)
        assert (run("blur", alone, 3).x[0] == found[place]).all()


def test_blur_ends_when_its_time_is_up() -> None:
    late = Device(deadline=1.0, clock=lambda: 2.0)
    shown = victim(image(9, 1, 6, 6), image(9, 1, 6, 6))
    with pytest.raises(TimedOutError, match="blur of 0 of 9 examples"):
        disturb("blur")(shown, 3, Effort(), 0, late)


@QUICK
@given(data=st.data(), pixels=st.integers(1, 4))
def test_shift_moves_up_down_left_and_right_and_repeats_the_edge(
    data: st.DataObject, pixels: int
) -> None:
    """Said once more by numpy's own padding."""
    height, width = data.draw(st.tuples(st.integers(pixels + 1, 7), st.integers(pixels + 1, 7)))
    x = image(2, data.draw(st.sampled_from([1, 3])), height, width)
    found = run("shift", victim(x, image(3, *x.shape[1:])), pixels)
    assert found.copies == 4
    edges = ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels))
    padded = np.pad(x, edges, mode="edge")
    corners = [(2 * pixels, pixels), (0, pixels), (pixels, 2 * pixels), (pixels, 0)]
    expected = [padded[:, :, top : top + height, left : left + width] for top, left in corners]
    assert (found.x == np.concatenate(expected)).all()


def test_shift_goes_the_way_that_it_says() -> None:
    x = np.zeros((1, 1, 3, 3), np.float32)
    x[0, 0, 1, 1] = 1
    found = run("shift", victim(x, x.copy()), 1).x[:, 0]
    places = [tuple(np.argwhere(one == 1)[0].tolist()) for one in found]
    assert places == [(0, 1), (2, 1), (1, 0), (1, 2)]


def test_missing_cells_are_so_many_and_the_fewer_among_the_more() -> None:
    shown = victim(image(40, 25), image(30, 25, seed=1))
    before = np.zeros(shown.x.shape, bool)
    for share in (0.001, 0.2, 0.4, 0.95):
        lost = run("missing", shown, share).x != shown.x
        assert lost.sum() == round(share * 1000)
        assert (lost >= before).all()
        before = lost


def test_missing_cells_hold_what_really_missing_ones_are_filled_with() -> None:
    bunch = sources.load("digits", Request())
    x = bunch.x.reshape(len(bunch.x), -1)[:300, 10:16].copy()
    trained, shown = x[:200], x[200:]
    gaps = run("missing", victim(shown, trained), 0.3).x
    holed = np.where(gaps != shown, np.float32(np.nan), shown)
    # Every column has a gap, so that all are filled.
    holed[0] = np.nan
    data = bunch.__class__(
        x=holed, y=bunch.y[:100], x_test=None, y_test=None, classes=("a", "b"), digest=""
    )
    _, filled = Filling(data).fill(trained.copy(), holed)
    assert (filled[1:] == gaps[1:]).all()


@pytest.mark.parametrize(
    ("name", "strength", "shape", "said"),
    [
        ("shift", 8, (8, 9), "shift:8 moves images of 8 x 9 pixels out of sight; give at most 7"),
        ("shift", 16, (20, 5), "give at most 4"),
        ("shift", 1, (1, 5), "they can't be shifted at all"),
        ("missing", 0.2, (8, 9), "missing is for tables, and these are images of 1 x 8 x 9"),
        ("shift", 1, (), "shift is for images, and these are 4 values in a row"),
        ("blur", 1, (), "blur is for images, and these are 4 values in a row"),
        ("contrast", 1, (), "contrast is for images, and these are 4 values in a row"),
    ],
)
def test_what_cannot_be_is_refused(name: str, strength: float, shape, said: str) -> None:
    x = image(3, 1, *shape) if shape else image(3, 4)
    with pytest.raises(ValueError, match=said):
        run(name, victim(x, x.copy()), strength)


@pytest.mark.parametrize("table", ["NOISE", "TABLE_NOISE", "BLUR", "CONTRAST"])
def test_tables_of_strengths_have_every_severity_and_rise(table: str) -> None:
    known = getattr(corruptions, table)
    assert tuple(known) == SEVERITIES
    rising = [-v for v in known.values()] if table == "CONTRAST" else [*known.values()]
    assert rising == sorted(set(rising))


def test_a_forests_error_grows_with_severity() -> None:
    """On scikit-learn's digits: under noise, blur and less contrast, and from clean on."""
    fold = Splits(sources.load("digits", Request()), Split(), 0).measuring(0)
    setting = {**dict(default_setting(Search("forest", axis="trees").ranges())), "trees": 50}
    model = learners.get("forest").train(setting, fold, Device())
    shown = Victim(model, fold.x_score, fold.y_score, fold)

    def error(x: np.ndarray) -> float:
        return float(np.mean(model.predict(x).argmax(axis=1) != fold.y_score))

    clean = error(fold.x_score)
    for name in ("noise", "blur", "contrast"):
        errors = [clean, *(error(run(name, shown, severity).x) for severity in SEVERITIES)]
        assert errors[5] > clean + 0.1, name
        for less, more in pairwise(errors[1:]):
            assert more > less - 0.005, (name, errors)  # two of 450 examples may turn right
        assert errors[3] > clean
