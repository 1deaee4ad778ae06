"""The picture of a result: what is on it, and that hard curves can be drawn."""

import math
from dataclasses import replace

import pytest

from tuner.curve import CurveLevel, Gain, Verdict, VerdictOutcome
from tuner.errors import TunerError
from tuner.report import chart


def drawn(result, key="cnn/depth", **changes):
    curves = {key: replace(result.curves[key], **changes)}
    return chart.svg(replace(result, curves=curves))


def domains(definition):
    """Yields the vertical domain of the upper and of the lower panel of the first column."""
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
        ">enough<",
        "error (lower is better)",
        "margin 0.02",
        "not measured",
        "forest, trees",
        "inconclusive",
        ">enough?<",  # a level that isn't excluded
    ):
        assert words in text, words
    assert "perceptron" not in text  # without an axis there is no curve
    assert text.index("cnn, depth") < text.index("forest, trees")


def test_a_png_is_one_and_the_same_each_time(result):
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
    scores, gains = domains(chart.chart([curve]).to_dict())
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
    scores, _ = domains(chart.chart([curve]).to_dict())
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
    monkeypatch.setattr(chart.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TunerError, match=r"altair, vl_convert: pip install 'tuner\[charts\]'"):
        chart.svg(result)
