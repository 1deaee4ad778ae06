"""The two panels of a returns curve: scores against capacity, gains against the margin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuner.curve import Curve, CurveLevel

if TYPE_CHECKING:
    import altair

    Panel = altair.LayerChart | altair.FacetChart

WIDTH, SCORES_HEIGHT, GAINS_HEIGHT = 250, 160, 130

# Of Okabe and Ito's palette for all kinds of colour vision (2008); their greys differ, too.
INK, BLUE, RED, GREY = "#333333", "#0072b2", "#d55e00", "#767676"

Row = dict[str, Any]


def scores(curve: Curve) -> Panel:
    """Returns score against capacity; levels that were never measured are named as such."""
    import altair as alt

    rows = [
        {"level": row.level, "at": row.score, "note": _note(curve, row), **_bar(row.low, row.high)}
        for row in curve.levels
        if row.score is not None
    ]
    better = "lower" if curve.direction == "minimize" else "higher"
    x, y = (
        _capacity(curve, labels=False),
        _Vertical(rows, f"{curve.metric} ({better} is better)", span=curve.margin, floor=0.0),
    )
    base = alt.Chart(alt.InlineData(rows)).encode(x=x)
    line = base.mark_line(color=BLUE, strokeWidth=1.5).encode(y=y("at"))
    notes = [
        base.mark_text(align="left", dx=8, dy=-9, fontSize=12, **style).encode(
            y=y("at"), text="note:N"
        )
        # Bars and lines end before the words.
        for style in ({"stroke": "white", "strokeWidth": 4}, {"fill": INK})
    ]
    unmeasured = (
        alt.Chart(alt.InlineData([{"level": level} for level in curve.unmeasured]))
        .mark_text(angle=270, fontSize=10, color=GREY)
        .encode(x=x, y=alt.value(SCORES_HEIGHT / 2), text=alt.value("not measured"))
    )
    layers = [*_bars(base, y), line, _points(base, y), *notes]
    return alt.layer(*layers, *([unmeasured] if curve.unmeasured else [])).properties(
        width=WIDTH, height=SCORES_HEIGHT
    )


def gains(curve: Curve) -> Panel:
    """Returns the gain of each doubling over the level below, against the margin."""
    import altair as alt

    rows: list[Row] = []
    measured = [row for row in curve.levels if row.score is not None]
    for below, row in itertools.pairwise(measured):
        gain = row.gain
        if gain is not None and math.isfinite(gain.per_doubling):
            bar = _bar(gain.low, gain.high, math.log2(row.level / below.level))
            at = {"level": row.level, "at": gain.per_doubling, "note": _note(curve, row)}
            rows.append(at | bar)
    y = _Vertical(rows, "gain per doubling", also=(0.0, curve.margin))
    base = alt.Chart(alt.InlineData(rows)).encode(x=_capacity(curve, labels=True))
    zero = alt.Chart(alt.InlineData([{"at": 0.0}]))
    margin = alt.Chart(alt.InlineData([{"at": curve.margin}]))
    layers = [
        zero.mark_rule(color=GREY).encode(y=y("at")),
        margin.mark_rule(color=RED, strokeWidth=1.5, strokeDash=[6, 3]).encode(y=y("at")),
        margin.mark_text(align="left", dx=3, dy=-7, fontSize=10, color=INK).encode(
            x=alt.value(0), y=y("at"), text=alt.value(f"margin {curve.margin:g}")
        ),
        *_bars(base, y),
        _points(base, y),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=GAINS_HEIGHT)


# Marks and scales


def _points(base: altair.Chart, y: _Vertical) -> altair.Chart:
    import altair as alt

    enough = alt.datum.note == "enough"
    points: altair.Chart = base.mark_point(
        filled=True, opacity=1, stroke="white", strokeWidth=1
    ).encode(
        y=y("at"),
        shape=alt.condition(enough, alt.value("diamond"), alt.value("circle")),
        size=alt.condition(enough, alt.value(150), alt.value(50)),
        color=alt.condition(enough, alt.value(INK), alt.value(BLUE)),
    )
    return points


def _bars(base: altair.Chart, y: _Vertical) -> list[altair.Chart]:
    """Returns the bounds; a dotted line from edge to edge where there are none."""
    bounded = base.transform_filter("datum.bounded")
    caps = bounded.mark_tick(color=INK, thickness=1.2, size=10, orient="horizontal", clip=True)
    return [
        base.transform_filter("!datum.bounded").mark_rule(color=GREY, strokeDash=[1, 3]),
        bounded.mark_rule(color=INK, strokeWidth=1.2, clip=True).encode(y=y("low"), y2="high:Q"),
        caps.encode(y=y("low")),
        caps.encode(y=y("high")),
    ]


def _capacity(curve: Curve, labels: bool) -> altair.X:
    """Returns the horizontal axis: the whole declared ladder, a doubling as wide as any other."""
    import altair as alt

    ladder = sorted({row.level for row in curve.levels} | set(curve.unmeasured))
    return alt.X(
        "level:Q",
        scale=alt.Scale(type="log", base=2, domain=[ladder[0] / 2**0.4, ladder[-1] * 2**0.4]),
        axis=alt.Axis(
            title=curve.axis if labels else None,
            values=ladder,
            format=",d",
            labels=labels,
            grid=False,
            labelOverlap=True,
        ),
    )


class _Vertical:
    """The vertical axis of a panel, for whichever value is put on it."""

    def __init__(
        self,
        rows: Sequence[Row],
        title: str,
        *,
        also: Sequence[float] = (),
        span: float = 0.0,
        floor: float = -math.inf,
    ) -> None:
        self._domain = _domain(rows, also, span, floor)
        self._title = title

    def __call__(self, value: str) -> altair.Y:
        import altair as alt

        return alt.Y(
            f"{value}:Q",
            scale=alt.Scale(domain=self._domain, nice=False, zero=False),
            axis=alt.Axis(title=self._title, tickCount=5, minExtent=46, titlePadding=6),
        )


def _domain(rows: Sequence[Row], also: Sequence[float], span: float, floor: float) -> list[float]:
    """Returns what a vertical axis shows: all estimates, and the bounds as far as that helps.

    A bound from few replicates can be a hundred times as wide as what there is to
    be seen, so it is cut off at the edge, where its cap is missing.

    Args:
        rows: What is drawn.
        also: Other values to show.
        span: The least to show, so that noise isn't drawn as large as what matters.
        floor: The least value that there can be.
    """
    shown = [row["at"] for row in rows] + list(also)
    low, high = min(shown), max(shown)
    room = max(high - low, span) / 2 or 1.0
    bounds = [row[name] for row in rows if row["bounded"] for name in ("low", "high")]
    low, high = max(min([low, *bounds]), low - room), min(max([high, *bounds]), high + room)
    lacking = max(span - (high - low), 0.0)
    pad = lacking / 2 + 0.12 * (high - low + lacking) or room
    return [max(low - pad, floor), high + pad]


# Values


def _bar(low: float | None, high: float | None, doublings: float = 1.0) -> Row:
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return {"bounded": False}
    return {"bounded": True, "low": low / doublings, "high": high / doublings}


def _note(curve: Curve, row: CurveLevel) -> str:
    """Returns what the verdict says of a level, to stand beside its point."""
    if curve.verdict is None:
        return ""
    if row.level == curve.verdict.level:
        return "enough"
    return "enough?" if row.level in curve.verdict.not_excluded else ""
