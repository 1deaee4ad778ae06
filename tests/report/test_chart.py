"""The picture of a result: what is on it, and that hard curves can be drawn."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curve import (
    Costs,
    CostTrend,
    Curve,
    CurveLevel,
    Gain,
    NextDoubling,
    Verdict,
    VerdictOutcome,
)
from tuner.errors import TunerError
from tuner.report import chart
from tuner.report.labels import Obstacle, corner, place
from tuner.report.marks import even_ticks, in_lines


def drawn(result, key="cnn/depth", **changes):
    curves = {key: replace(result.curves[key], **changes)}
    return chart.svg(replace(result, curves=curves))


def domains(definition):
    """Yields the vertical domain of every panel of the first column, from the top."""
    for panel in definition["concat"][0]["vconcat"]:
        scales = [
            layer["encoding"]["y"]["scale"]["domain"]
            for layer in panel["layer"]
            if "scale" in layer["encoding"].get("y", {})
        ]
        assert all(scale == scales[0] for scale in scales)
        yield scales[0]


def test_the_picture_says_the_verdict_the_margin_and_what_was_never_measured(result):
    text = chart.svg(result)
    for words in (
        "cnn, depth",
        "depth 2 is enough",
        ">enough (p = .93)<",
        "error (lower is better)",
        "margin 0.02",
        "not measured",
        "forest, trees",
        "inconclusive",
        ">?<",  # a level that isn't excluded
        "a doubling costs 2 times as much",
        "cost (device-seconds)",
    ):
        assert words in text, words
    assert "perceptron" not in text  # without an axis there is no curve
    assert text.index("cnn, depth") < text.index("forest, trees")


def test_a_price_is_no_line_in_the_picture(result):
    """What it asks of a doubling differs from level to level."""
    curve = replace(result.curves["cnn/depth"], price=1e-7, worth="0.01 error per 40 device-hours")
    priced = replace(result, curves={**result.curves, curve.search: curve})
    by_margin, at_a_price = (chart.svg(r).count("margin 0.02") for r in (result, priced))
    assert by_margin == 2 * at_a_price > 0  # the other search's is left


def test_a_picture_is_one_and_the_same_each_time(result):
    assert chart.svg(result) == chart.svg(result)
    content = chart.png(result)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content == chart.png(result)


def test_bounds_that_are_infinite_or_unknown_leave_a_dotted_line_and_no_number(result):
    definition = chart.chart([result.curves["cnn/depth"]]).to_dict()
    rows = [row for data in definition["datasets"].values() for row in data if "bounded" in row]
    assert [row["bounded"] for row in rows if row["level"] == 4] == [False, False]
    assert all(math.isfinite(v) for row in rows for v in row.values() if isinstance(v, float))
    text = chart.svg(result)
    assert "stroke-dasharray" in text
    assert "NaN" not in text
    assert "Infinity" not in text


def test_a_very_wide_bound_does_not_hide_the_scores(result):
    wide = [
        replace(row, low=-9.0, high=9.0, gain=row.gain and replace(row.gain, low=-9.0, high=9.0))
        for row in result.curves["cnn/depth"].levels
    ]
    curve = replace(result.curves["cnn/depth"], levels=tuple(wide))
    scores, gains, _costs = domains(chart.chart([curve]).to_dict())
    assert scores[0] == 0.0  # no error is below it
    assert scores[1] < 0.2
    assert -0.1 < gains[0] < 0.0
    assert 0.06 < gains[1] < 0.2


def test_noise_far_below_the_margin_is_not_drawn_large(result):
    levels = tuple(
        CurveLevel(
            level, 9, 0, 0.5 + level / 1e6, None, None, Gain(level / 2, level, 1e-6, -1e-6, 1e-6, 1)
        )
        for level in (1, 2, 4)
    )
    curve = replace(result.curves["cnn/depth"], levels=levels)
    scores, *_ = domains(chart.chart([curve]).to_dict())
    assert scores[1] - scores[0] >= curve.margin


def test_gains_are_shown_by_the_doubling_over_the_level_that_was_measured_below(result):
    levels = (
        CurveLevel(1, 4, 0, 0.2, 0.1, 0.3),
        CurveLevel(2, 0, 4),  # every replicate failed
        CurveLevel(4, 4, 0, 0.1, 0.05, 0.15, Gain(1, 4, 0.1, 0.02, 0.18, 2)),
    )
    curve = replace(result.curves["cnn/depth"], levels=levels)
    definition = chart.chart([curve]).to_dict()
    rows = [row for data in definition["datasets"].values() for row in data if "bounded" in row]
    gain = next(row for row in rows if row["level"] == 4 and row["at"] == 0.05)
    assert (gain["low"], gain["high"]) == (0.01, 0.09)
    assert not any(row["level"] == 2 for row in rows)


def rows_of(curve):
    """Returns every row of data that the picture of one curve holds."""
    definition = chart.chart([curve]).to_dict()
    return [row for data in definition["datasets"].values() for row in data]


def test_the_band_breaks_where_a_bound_is_missing(result):
    levels = tuple(
        CurveLevel(k, 4, 0, 0.5 - k / 100, low, None if low is None else 0.6)
        for k, low in ((1, 0.4), (2, 0.4), (4, None), (8, 0.3), (16, 0.3))
    )
    runs = {
        r["level"]: r["run"]
        for r in rows_of(replace(result.curves["cnn/depth"], levels=levels))
        if "run" in r
    }
    assert runs[1] == runs[2] != runs[8] == runs[16]


def test_a_level_that_breaks_a_limit_is_a_cross_and_no_lack_of_replicates(result):
    curve = result.curves["cnn/depth"]
    barred = CurveLevel(8, 4, 0, 0.02, barred="a prediction takes 9 ms, more than 5 ms")
    levels = tuple(replace(row, low=0.01, high=0.09) for row in curve.levels)
    without = chart.svg_of([replace(curve, levels=levels)])
    shown = replace(curve, levels=(*levels, barred), unmeasured=())
    text = chart.svg_of([shown])
    marks = {row["level"]: row["mark"] for row in rows_of(shown) if "mark" in row}
    assert marks == {1: "other", 2: "enough", 4: "other", 8: "barred"}
    assert ("rotate(45)" in text, "rotate(45)" in without) == (True, False)
    caption = " ".join(chart.chart([shown]).to_dict()["title"]["text"])
    assert "a cross breaks a limit" in caption
    assert "dotted" not in caption
    assert "a cross" not in " ".join(re.findall(">([^<]*)<", without))


def forecast(result, **changes):
    """Returns the curve with a next doubling that is worth a point, but for the changes."""
    following = replace(NextDoubling(8, 0.01, -0.01, 0.03, "log-linear", True), **changes)
    return replace(result.curves["cnn/depth"], next_doubling=following)


def test_the_next_doubling_is_drawn_from_the_last_level_on(result):
    curve = forecast(result)
    ahead = [row for row in rows_of(curve) if row.get("level") == 8 and "low" in row]
    scores = next(row for row in ahead if row["at"] != 0.01)
    assert scores["at"] == pytest.approx(0.029)  # of an error, a gain is less of it
    assert (scores["low"], scores["high"]) == (pytest.approx(0.009), pytest.approx(0.049))
    text = chart.svg_of([curve])
    assert "predicted" in text
    assert "not measured" not in text  # at 8, where the prediction stands


@pytest.mark.parametrize(
    "changes",
    [{"beats_no_gain": False}, {"low": -math.inf}, {"gain": 3.0}, {"gain": math.nan}],
    ids=str,
)
def test_a_prediction_that_says_nothing_is_not_drawn(result, changes):
    text = chart.svg_of([forecast(result, **changes)])
    assert "predicted" not in text
    assert "not measured" in text


def test_the_next_doubling_of_something_else_than_the_level_has_no_place_on_the_axis(result):
    curve = replace(forecast(result), per="parameters")
    text = chart.svg_of([curve])
    assert "predicted" not in text
    assert "of parameters" in text  # in a line of its own, below the gain


def test_the_knee_is_for_the_eye_and_only_where_asked_for(result):
    curve = result.curves["cnn/depth"]
    assert "knee" not in chart.svg_of([curve])
    assert "knee (for the eye)" in chart.svg_of([replace(curve, knee=2.0)])


def test_costs_are_left_out_where_none_is_known(result):
    curve = result.curves["cnn/depth"]
    levels = tuple(replace(row, standalone_device_seconds=None) for row in curve.levels)
    free = replace(curve, levels=levels, costs=Costs())
    assert len(chart.chart([curve]).to_dict()["concat"][0]["vconcat"]) == 3
    assert len(chart.chart([free]).to_dict()["concat"][0]["vconcat"]) == 2
    assert "cost" not in chart.svg_of([free])


def table_curve():
    levels = tuple(
        CurveLevel(k, 1, 0, s, gain=Gain(k / 2, k, 0.5, 0.1, 0.9, 1), standalone_device_seconds=k)
        for k, s in ((0.39, 22.9), (1.8, 18.4), (16.0, -1.0))
    )
    trend = CostTrend(1.0, 0.9, 1.1, 1.0, "GPU-days")
    return Curve(
        "", "", "GFLOPs", "top-1", "minimize", 0.1, levels, None, costs=Costs(trend), design="noise"
    )


def test_a_bare_curve_of_a_table_can_be_drawn():
    text = chart.svg_of([table_curve()])
    for words in (">GFLOPs<", ">0.39<", ">1.8<", ">16<", "cost (GPU-days)"):
        assert words in text, words
    assert "however often" not in text  # bounds that are not for looking at say so
    assert chart.png_of([table_curve()]).startswith(b"\x89PNG\r\n\x1a\n")


def test_the_picture_is_small_and_tells_itself_in_words(result):
    text = chart.svg(result)
    assert len(text) < 40_000
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert "cnn, depth: depth 2 is enough" in root.get("aria-label")
    assert not re.search(r"\d\.\d{3,}", "".join(re.findall(r'(?:transform|d)="([^"]*)"', text)))


def test_words_from_outside_can_not_leave_their_place(result):
    curve = replace(result.curves["cnn/depth"], axis='"/><script>x</script>', unmeasured=())
    root = ElementTree.fromstring(chart.svg_of([curve]))
    assert not [e for e in root.iter() if e.tag.endswith("script")]


def test_ticks_are_few_round_and_not_above_the_panel():
    ticks, decimals = even_ticks(-0.0266, 0.1022)
    assert ticks == [-0.02, 0.0, 0.02, 0.04, 0.06, 0.08]
    assert decimals == 2
    assert even_ticks(0.0, 1.0) == ([0.0, 0.2, 0.4, 0.6, 0.8], 1)
    assert even_ticks(1200.0, 3400.0) == ([1500.0, 2000.0, 2500.0, 3000.0], 0)


@settings(deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e6))
def test_there_are_always_some_ticks_within(low, span):
    ticks, _ = even_ticks(low, low + span)
    assert 2 <= len(ticks) <= 8
    assert all(low - 1e-6 * span <= tick <= low + span for tick in ticks)


def test_words_stand_beside_their_point_and_off_what_is_drawn():
    falling = [
        Obstacle(x, y, y - 8, y + 8) for x, y in ((20, 20), (80, 90), (140, 120), (200, 121))
    ]
    beside = place("enough (p = .93)", falling[2], falling, (250, 160))
    box = (beside.x - 101, beside.x) if beside.left else (beside.x, beside.x + 101)
    for other in falling:
        if box[0] <= other.x <= box[1]:
            assert not other.top - 6 < beside.y < other.bottom + 6
    assert box[0] >= 0
    assert box[1] <= 250
    edge = place("enough (p = .93)", falling[3], falling, (250, 160))
    assert edge.left  # to the right there is no room


def test_the_word_of_the_margin_goes_where_nothing_is_drawn():
    bar = Obstacle(20, 50, 30, 70)
    assert corner("margin 0.02", 50, [], 250) == (False, False)
    assert corner("margin 0.02", 50, [bar], 250) == (True, False)
    above = [Obstacle(x, 42, 38, 46) for x in (20, 230)]
    assert corner("margin 0.02", 50, above, 250) == (False, True)


def test_a_title_too_long_for_its_panel_stands_in_lines():
    assert in_lines(["error", "(lower is better)"], 160) == "error (lower is better)"
    parts = ["top1_accuracy_percent", "(higher is better)"]
    assert in_lines(parts, 160) == parts
    assert in_lines(["gain per doubling", ""], 110) == "gain per doubling"


@pytest.mark.parametrize("outcome", list(VerdictOutcome))
def test_every_verdict_can_be_drawn(result, outcome):
    level = 4 if outcome in ("PLATEAUED", "DECLINING") else None
    assert "<svg" in drawn(result, verdict=Verdict(outcome, level, "because"))


def test_one_level_equal_scores_zeros_and_no_verdict_can_be_drawn(result):
    one = result.curves["cnn/depth"].levels[:1]
    assert "<svg" in drawn(result, levels=one, verdict=None, unmeasured=())
    zeros = tuple(CurveLevel(k, 4, 0, 0.0, 0.0, 0.0, Gain(k / 2, k, 0, 0, 0, 1)) for k in (1, 2))
    assert "NaN" not in drawn(result, levels=zeros)


def test_nothing_to_draw_says_so(result):
    with pytest.raises(TunerError, match="no curve to draw yet") as caught:
        chart.svg(replace(result, curves={}))
    assert caught.value.reason == "NOTHING_TO_DRAW"


def test_what_draws_is_named_where_it_is_not_installed(result, monkeypatch):
    monkeypatch.setattr("tuner.installed.importlib.util.find_spec", lambda name: None)
    with pytest.raises(TunerError, match=r"altair, vl_convert: pip install 'tuner\[charts\]'"):
        chart.svg(result)
