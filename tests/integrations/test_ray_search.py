"""ReturnsSearch, driven as Tune drives it: reproducible, honest about failures, never hanging."""

from __future__ import annotations

import copy
import itertools
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray import tune

from tests.integrations.tune_loop import Config, Result, end, error_of, fit, train
from tuner.curve import SearchState
from tuner.integrations.ray import ReturnsSearch

LEVELS = [1, 2, 4, 8, 16, 32]
SPACE = {"rate": tune.loguniform(1e-4, 1.0)}


def make(**more) -> ReturnsSearch:
    return ReturnsSearch(
        "width",
        more.pop("levels", LEVELS),
        metric="error",
        mode=more.pop("mode", "min"),
        margin=more.pop("margin", 0.02),
        space=more.pop("space", SPACE),
        trials=more.pop("trials", 4),
        generation=more.pop("generation", 2),
        **more,
    )


def frail(config: Config) -> list[Result]:
    """Fails in every way that a trial can, at some levels and seeds."""
    match config["width"], config["seed"] % 5:
        case 1, 1:
            raise RuntimeError("out of luck")
        case 2, 2:
            return [{"error": 0.9}, {"error": math.nan}]
        case 4, 3:
            return [{"another": 1.0}]
        case 8, 4:
            return []
        case 16, 0:
            return [{"error": "none"}]
    return train(config)


def key(config: Config) -> tuple[object, ...]:
    return tuple(sorted(config.items()))


@settings(max_examples=30, deadline=None)
@given(
    slots=st.integers(1, 7),
    shuffle=st.integers(0, 2**32),
    restart=st.sampled_from([0.0, 0.1, 0.5]),
    resume=st.booleans(),
    trainable=st.sampled_from([train, frail]),
)
def test_what_is_asked_and_what_is_found_depends_on_results_alone(
    slots, shuffle, restart, resume, trainable
):
    undisturbed, configs = fit(make, trainable, slots=1)
    with tempfile.TemporaryDirectory() as folder:
        search, asked = fit(
            make,
            trainable,
            slots=slots,
            shuffle=shuffle,
            restart=restart,
            resume=resume,
            folder=Path(folder),
        )
    assert {key(c) for c in asked} == {key(c) for c in configs}
    assert search.curve == undisturbed.curve
    assert search.best_config == undisturbed.best_config
    if not restart:
        assert len(asked) == len(configs)  # and nothing twice


@pytest.mark.parametrize("plateau", [1, 2, 4])
def test_it_finds_the_plateau_and_leaves_larger_levels_alone(plateau):
    search, asked = fit(make, lambda c: [{"error": error_of(c, plateau)}])
    assert search.verdict.answer == ("PLATEAUED", plateau)
    assert max(c["width"] for c in asked) == 4 * plateau  # two larger levels, and no more
    assert search.best_config["width"] == plateau
    assert search.curve.state is SearchState.CONCLUDED


def test_what_is_better_may_be_larger():
    search, _ = fit(lambda: make(mode="max"), lambda c: [{"error": 1 - error_of(c)}])
    assert search.verdict.answer == ("PLATEAUED", 4)


def test_a_curve_that_rises_to_its_top_has_its_top_as_the_best():
    search, _ = fit(lambda: make(levels=[1, 2, 4]), lambda c: [{"error": error_of(c, 10**6)}])
    assert search.verdict.answer == ("RISING", None)
    assert search.best_config["width"] == 4


def test_noise_that_no_replicates_settle_ends_inconclusive_before_they_are_all_spent():
    search, asked = fit(
        lambda: make(levels=[1, 2, 4], phase="phase"),
        lambda c: [{"error": error_of(c, 1, sd=0.3)}],
    )
    assert search.verdict.outcome == "INCONCLUSIVE"
    assert search.finished
    assert any("replicate" in what for what in search.verdict.missing)
    measured = [c for c in asked if c["phase"] == "measuring"]
    assert len(measured) < 3 * 20 / 2


def test_tuning_and_measuring_never_share_a_replicate_and_measuring_is_paired():
    _, asked = fit(lambda: make(phase="phase"))
    seeds = {p: {c["seed"] for c in asked if c["phase"] == p} for p in ("tuning", "measuring")}
    assert not seeds["tuning"] & seeds["measuring"]
    by_rate: dict[tuple[int, float], list[int]] = {}
    for c in asked:
        if c["phase"] == "measuring":
            by_rate.setdefault((c["width"], c["rate"]), []).append(c["seed"])
    for seeds in by_rate.values():  # a winner's, or a runner-up's
        assert sorted(seeds) == list(range(len(seeds)))


def test_every_level_gets_the_same_tuning_budget_with_the_neighbours_winner_in_it():
    _, asked = fit(lambda: make(phase="phase"), slots=1)
    widths = sorted({c["width"] for c in asked})
    tried = {
        width: [c["rate"] for c in asked if c["width"] == width and c["phase"] == "tuning"]
        for width in widths
    }
    # The highest keeps one for what would have won above it.
    assert [len(tried[width]) for width in widths] == [4, 4, 4, 4, 3]

    def won(width: int) -> float:
        return min(tried[width], key=lambda r: error_of({"width": width, "seed": 20, "rate": r}))

    for below, width in itertools.pairwise(widths):
        assert won(width) in tried[below]
        # The first three are tuned together: what won there later comes too late above.
        assert won(below) in tried[width] or width <= 4


def test_it_waits_at_a_barrier_and_stays_finished():
    search = make(generation=2)
    # Two settings at each of the three levels that patience asks for.
    names = [f"t{i}" for i in range(6)]
    configs = [search.suggest(name) for name in names]
    assert sorted(config["width"] for config in configs) == [1, 1, 2, 2, 4, 4]
    assert search.suggest("more") is None
    assert search.suggest("t0") == configs[0]  # asked again, not anew
    for name, config in reversed([*zip(names, configs, strict=True)]):
        assert search.suggest("more") is None
        end(search, name, train, config)
    assert isinstance(search.suggest("more"), dict)
    done, _ = fit(make)
    assert done.suggest("more") == done.suggest("and more") == "FINISHED"


def test_failures_are_counted_shown_and_in_no_average():
    search, _ = fit(make, frail)
    rows = {row.level: row for row in search.curve.levels}
    assert {level: rows[level].failed > 0 for level in (1, 2, 4, 8)} == dict.fromkeys(
        (1, 2, 4, 8), True
    )
    for row in rows.values():
        assert row.score is None or row.score < 0.5  # not the .9 that trials begin with
    noted = " ".join(search.curve.notes)
    for how in ("CRASHED", "DIVERGED"):
        assert how in noted


def test_a_search_whose_every_trial_fails_says_so():
    def fails(config):
        raise RuntimeError

    search, _ = fit(lambda: make(levels=[1, 2]), fails)
    assert search.curve.state is SearchState.FAILED
    assert "it failed; Ray Tune has its error" in search.curve.state_reason
    assert search.best_config is None


@pytest.mark.parametrize(
    ("reached", "last", "iterations", "counts"),
    [
        (3, 3, None, True),  # a function that returned
        (2, 3, None, False),  # Tune ended it with its third result: a scheduler did
        (2, 3, 3, True),  # or its whole length was reached, and that was said
        (2, 3, 4, False),
        (3, 3, 4, False),  # a function that gave up early
    ],
)
def test_a_trial_that_was_stopped_early_did_not_complete(reached, last, iterations, counts):
    search = make(trials=1, iterations=iterations)
    for i in range(12):  # four replicates of three levels
        config = search.suggest(f"t{i}")
        here = (config["width"], config["seed"]) == (1, 0)
        result = {"error": error_of(config), "training_iteration": last if here else 4}
        search.on_trial_result(f"t{i}", {"training_iteration": reached if here else 4})
        search.on_trial_complete(f"t{i}", result)
    row = search.curve.at(1)
    assert (row.replicates, row.failed) == ((4, 0) if counts else (3, 1))
    assert counts or "1 TIMED_OUT" in " ".join(search.curve.notes)


def test_a_trial_that_was_removed_before_it_ran_did_not_complete():
    search = make(trials=1)
    search.suggest("a")
    search.on_trial_complete("a")
    assert search.curve.at(1).failed == 1


def test_trials_that_nobody_waits_for_change_nothing():
    search = make(trials=1)
    config = search.suggest("a")
    end(search, "a", train, config)
    before = search.curve
    end(search, "a", frail, config)
    end(search, "never asked for", train, config)
    search.on_trial_complete("a", error=True)
    assert search.curve == before


def test_after_a_restart_what_ran_is_asked_again_only_where_nothing_else_is_left(tmp_path):
    search = make(generation=1)
    names = {name: search.suggest(name) for name in ("a", "b")}
    search.save(str(tmp_path / "state"))
    restored = make(generation=1)
    restored.restore(str(tmp_path / "state"))
    third = restored.suggest("c")  # of the third level: one setting each
    assert third not in names.values()
    again = [restored.suggest("d"), restored.suggest("e")]
    assert sorted(map(key, again)) == sorted(map(key, names.values()))
    assert restored.suggest("f") is None  # each once
    for name in ("a", "b", "c"):
        end(restored, name, train, {**names, "c": third}[name])
    assert isinstance(restored.suggest("f"), dict)  # the first result of each is enough


def test_a_restart_with_other_arguments_is_refused(tmp_path):
    search = make()
    search.suggest("a")
    search.save(str(tmp_path / "state"))
    with pytest.raises(ValueError, match="other arguments"):
        make(margin=0.03).restore(str(tmp_path / "state"))


def test_a_verdict_can_be_read_from_what_was_saved(tmp_path):
    def of_tune() -> ReturnsSearch:
        search = make(space=None)
        search.set_search_properties("error", "min", {**SPACE, "deep": {"k": 3}})
        return search

    done, asked = fit(of_tune)
    assert "deep" not in asked[0]  # Tune puts it there itself
    done.save_to_dir(str(tmp_path))
    fresh = make(space=None)
    fresh.restore_from_dir(str(tmp_path))
    assert fresh.curve == done.curve
    assert fresh.best_config == done.best_config
    assert fresh.best_config["deep"] == {"k": 3}


def test_reading_before_it_begins_changes_nothing():
    search = make(space=None)
    assert search.verdict.outcome == "INCONCLUSIVE"
    assert search.best_config is None
    assert search.curve.state is SearchState.PENDING
    assert search.set_search_properties(None, None, SPACE)
    assert "rate" in search.suggest("a")


def test_nothing_to_tune_is_measured_at_once():
    search, asked = fit(lambda: make(space=None))
    assert search.verdict.answer == ("PLATEAUED", 4)
    assert set(asked[0]) == {"width", "seed"}
    assert search.best_config == {"width": 4}


def test_keys_may_be_within_and_constants_go_along():
    def nested() -> ReturnsSearch:
        return ReturnsSearch(
            "net/width",
            LEVELS,
            metric="error",
            mode="min",
            margin=0.02,
            replicate="net/seed",
            space={"net": {"rate": tune.loguniform(1e-4, 1.0), "act": "relu"}, "k": [1, 2]},
            trials=3,
        )

    config = nested().suggest("a")
    assert config["k"] == [1, 2]
    assert set(config["net"]) == {"width", "seed", "rate", "act"}
    search, _ = fit_nested(nested)
    assert search.best_config["net"] == {
        "width": 4,
        "act": "relu",
        "rate": search.best_config["net"]["rate"],
    }
    assert search.curve.at(4).setting == (("net/rate", search.best_config["net"]["rate"]),)


def fit_nested(make):
    search, asked = make(), []
    while (config := search.suggest(name := f"t{len(asked)}")) != "FINISHED":
        asked.append(copy.deepcopy(config))
        flat = config["net"]
        end(search, name, train, flat)
    return search, asked


def test_the_bill_is_what_trials_took():
    search, asked = fit(make, slots=1)
    for row in search.curve.levels:
        spent = [c for c in asked if c["width"] == row.level]
        assert row.billed_device_seconds == len(spent) * row.level
        assert row.standalone_device_seconds == row.level


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"levels": [8]}, "at least two"),
        ({"levels": [8, 4]}, "from small to large"),
        ({"levels": [0.5, 1]}, "whole numbers"),
        ({"mode": "minimise"}, "'min' or 'max'"),
        ({"margin": -1}, "from 0 up"),
        ({"alpha": 0.7}, "between 0 and .5"),
        ({"patience": 0}, "from 1 up"),
        ({"trials": 0}, "trials: "),
        ({"min_replicates": 8, "max_replicates": 4}, "less than min_replicates"),
        ({"sampler": "grid"}, "sampler: "),
        ({"iterations": 0}, "iterations is 0"),
        ({"replicate": "width"}, "are the same"),
        ({"space": {"width": tune.randint(1, 9)}}, "'width' is set by the search"),
        ({"space": {"seed": tune.randint(1, 9)}}, "'seed' is set by the search"),
        ({"start": {"rates": 0.1}}, "'rates' isn't tuned; there is rate"),
    ],
)
def test_what_is_wrong_is_named_at_once(arguments, said):
    with pytest.raises(ValueError, match=said):
        make(**arguments)


@pytest.mark.parametrize(
    ("properties", "spec", "said"),
    [
        (("loss", "min", {}), {}, "TuneConfig says metric 'loss'"),
        (("error", "max", {}), {}, "TuneConfig says mode 'max'"),
        ((None, None, {}), {"num_samples": 1}, r"give TuneConfig\(num_samples=-1\)"),
        ((None, None, {"seed": tune.randint(0, 9)}), {}, "'seed' is set by the search"),
    ],
)
def test_a_tuner_that_asks_something_else_is_refused(properties, spec, said):
    with pytest.raises(ValueError, match=said):
        make(space=None).set_search_properties(*properties, **spec)


def test_a_space_of_its_own_leaves_the_tuners_alone():
    assert make().set_search_properties("error", "min", {"k": 3}) is False


def test_tune_is_told_of_no_metric_so_that_one_trial_without_it_does_not_end_all():
    assert make().metric is None
    assert make().mode == "min"
