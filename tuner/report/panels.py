"""The panels of a returns curve: scores against capacity, gains against the margin, costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuner.curve import Curve, CurveLevel
from tuner.report import naming, sentences
from tuner.report.labels import Obstacle, corner, place
from tuner.report.marks import (
    BLUE,
    ENOUGH,
    GREY,
    INK,
    MAYBE,
    RED,
    WIDTH,
    Capacity,
    Row,
    Vertical,
    bar,
    bounds,
    in_lines,
    in_runs,
    mark_of,
    points,
    predicted,
    written,
)

if TYPE_CHECKING:
    import altair

    Panel = altair.LayerChart | altair.FacetChart

SCORES_HEIGHT, GAINS_HEIGHT, COSTS_HEIGHT = 160, 110, 110


def panels(curve: Curve) -> list[Panel]:
    """Returns the panels of a curve from the top; without those of which nothing is known."""
    following = foreseen(curve)
    x = Capacity(curve, [] if following is None else [following["level"]])
    steps, costs = gain_rows(curve), cost_rows(curve)
    drawn = [scores(curve, x, following, labels=not (steps or costs))]
    if steps:
        drawn.append(gains(curve, x, steps, following, labels=not costs))
    if costs:
        drawn.append(costs_of(curve, x, costs))
    return drawn


def foreseen(curve: Curve) -> Row | None:
    """Returns what the next doubling would gain, where that is worth a point in a picture.

    It is where it would have foretold the levels already seen better than no gain
    at all, is bounded, and gains no more than all levels have between them.
    """
    following = curve.next_doubling
    scored = [row for row in curve.levels if row.score is not None]
    # Where something else than the level is doubled, its place on the axis isn't known.
    if following is None or not following.beats_no_gain or curve.per or not scored:
        return None
    last = scored[-1].score or 0.0
    seen = [row.score or 0.0 for row in scored]
    spread = max(max(seen) - min(seen), curve.margin)
    row = bar(following.low, following.high) | {"level": following.level, "gain": following.gain}
    worth_it = row["bounded"] and abs(following.gain) <= spread
    return row | {"last": last} if worth_it else None


def scores(curve: Curve, x: Capacity, following: Row | None, *, labels: bool) -> Panel:
    """Returns score against capacity; levels that were never measured are named as such."""
    import altair as alt

    measured = [row for row in curve.levels if row.score is not None]
    rows = in_runs(
        [
            {"level": row.level, "at": row.score, "mark": mark_of(curve, row)}
            | bar(row.low, row.high)
            for row in measured
        ]
    )
    sign = -1 if curve.direction == "minimize" else 1
    ahead: list[Row] = []
    if following is not None:
        last = following["last"]
        low, high = sorted(last + sign * following[end] for end in ("low", "high"))
        at = last + sign * following["gain"]
        ahead = [{"level": following["level"], "at": at, "bounded": True, "low": low, "high": high}]
    better = "lower" if curve.direction == "minimize" else "higher"
    y = Vertical(
        [*rows, *ahead],
        [curve.metric, f"({better} is better)"],
        height=SCORES_HEIGHT,
        span=curve.margin,
        floor=0.0 if min(row["at"] for row in rows) >= 0 else -math.inf,
    )
    base = alt.Chart(alt.InlineData(rows)).encode(x=x(labels))
    band = base.transform_filter("datum.bounded").mark_area(color=BLUE, opacity=0.14, clip=True)
    layers = [
        band.encode(y=y("low"), y2="high:Q", detail="run:N"),
        *_knee(curve, x, labels),
        *bounds(base, y),
        base.mark_line(color=BLUE, strokeWidth=1.5).encode(y=y("at")),
    ]
    for row in ahead:
        layers += predicted(row, rows[-1], x(labels), y)
    layers.append(points(base, y))
    layers += _beside([*rows, *ahead], _words(curve, measured), x, y)
    skipped = [k for k in curve.unmeasured if not ahead or k != ahead[0]["level"]]
    if skipped:
        layers.append(
            alt.Chart(alt.InlineData([{"level": level} for level in skipped]))
            .mark_text(angle=270, fontSize=10, color=GREY)
            .encode(x=x(labels), y=alt.value(SCORES_HEIGHT / 2), text=alt.value("not measured"))
        )
    return alt.layer(*layers).properties(width=WIDTH, height=SCORES_HEIGHT)


def gain_rows(curve: Curve) -> list[Row]:
    """Returns what each level gains a doubling over the measured level below."""
    rows = []
    for row in curve.levels:
        gain = row.gain
        if gain is not None and math.isfinite(gain.per_doubling):
            at = {"level": row.level, "at": gain.per_doubling, "mark": mark_of(curve, row)}
            rows.append(at | bar(gain.low, gain.high, gain.doublings))
    return rows


def gains(
    curve: Curve, x: Capacity, rows: Sequence[Row], following: Row | None, *, labels: bool
) -> Panel:
    """Returns the gain of each doubling over the level below, against the margin.

    A price isn't drawn: what it asks of a doubling differs from level to level.
    """
    import altair as alt

    ahead = [] if following is None else [following | {"at": following["gain"]}]
    per = f"of {curve.per}" if curve.per else ""
    y = Vertical(
        [*rows, *ahead],
        ["gain per doubling", per],
        height=GAINS_HEIGHT,
        also=(0.0,) if curve.price else (0.0, curve.margin),
    )
    base = alt.Chart(alt.InlineData(list(rows))).encode(x=x(labels))
    zero = alt.Chart(alt.InlineData([{"at": 0.0}]))
    margin = alt.Chart(alt.InlineData([{"at": curve.margin}]))
    dashed = margin.mark_rule(color=RED, strokeWidth=1.5, strokeDash=[6, 3]).encode(y=y("at"))
    layers = [
        zero.mark_rule(color=GREY).encode(y=y("at")),
        *([] if curve.price else [dashed]),
        *bounds(base, y),
        points(base, y),
    ]
    for point in ahead:
        layers += predicted(point, None, x(labels), y)
    if curve.price:
        return alt.layer(*layers).properties(width=WIDTH, height=GAINS_HEIGHT)
    said = f"margin {curve.margin:g}"
    stretches = _stretches([*rows, *ahead], x, y, GAINS_HEIGHT)
    right, below = corner(said, y.at(curve.margin, GAINS_HEIGHT), stretches, WIDTH)
    base = margin.encode(x=alt.value(WIDTH - 3 if right else 3), y=y("at"), text=alt.value(said))
    layers += written(base, right, 10, dy=8 if below else -7)
    return alt.layer(*layers).properties(width=WIDTH, height=GAINS_HEIGHT)


def cost_rows(curve: Curve) -> list[Row]:
    """Returns the levels whose cost is known."""
    return [
        {"level": row.level, "at": row.standalone_device_seconds, "mark": mark_of(curve, row)}
        for row in curve.levels
        if row.standalone_device_seconds is not None and row.standalone_device_seconds > 0
    ]


def costs_of(curve: Curve, x: Capacity, rows: Sequence[Row]) -> Panel:
    """Returns cost against capacity, both by doublings, with its trend as a thin line."""
    import altair as alt

    trend = curve.costs.trend
    unit = naming.cost_unit(curve)
    low, high = min(row["at"] for row in rows), max(row["at"] for row in rows)
    y = alt.Y(
        "at:Q",
        scale=alt.Scale(type="log", domain=[low / 1.6, high * 1.6], nice=False),
        axis=alt.Axis(
            title=in_lines(["cost", f"({unit})" if unit else ""], COSTS_HEIGHT),
            values=_ticks(low / 1.6, high * 1.6),
            format=",.3~r",
            minExtent=46,
            titlePadding=6,
            titleLimit=COSTS_HEIGHT + 10,
        ),
    )
    base = alt.Chart(alt.InlineData(list(rows))).encode(x=x(labels=True))
    layers = []
    if trend is not None and not curve.per:
        ends = [{"level": k, "at": trend.at(k)} for k in (rows[0]["level"], rows[-1]["level"])]
        line = alt.Chart(alt.InlineData(ends)).encode(x=x(labels=True))
        layers.append(line.mark_line(color=GREY, strokeWidth=1, clip=True).encode(y=y))
    layers.append(points(base, lambda _: y))
    if trend is not None:
        said = f"a doubling costs {sentences.times(trend)} times as much"
        layers.append(
            alt.Chart(alt.InlineData([{}]))
            .mark_text(align="right", fontSize=10, color=INK)
            .encode(x=alt.value(WIDTH - 4), y=alt.value(COSTS_HEIGHT - 9), text=alt.value(said))
        )
    return alt.layer(*layers).properties(width=WIDTH, height=COSTS_HEIGHT)


# Words in a panel


def _words(curve: Curve, rows: Sequence[CurveLevel]) -> list[str]:
    """Returns what is to stand beside each level's point."""
    chances = curve.level_probabilities or {}
    said = {}
    for row in rows:
        mark, chance = mark_of(curve, row), chances.get(row.level)
        p = "" if chance is None else naming.probability(chance)
        if mark == ENOUGH:
            said[row.level] = f"enough (p {_equals(p)})" if p else "enough"
        elif mark == MAYBE:
            said[row.level] = f"{p}?" if p else "?"
    return [said.get(row.level, "") for row in rows]


def _equals(chance: str) -> str:
    return f"{chance[0]} {chance[1:]}" if chance[0] in "<>" else f"= {chance}"


def _beside(
    rows: Sequence[Row], words: Sequence[str], x: Capacity, y: Vertical
) -> list[altair.Chart]:
    """Returns the words beside their points, out of the way of all that is drawn."""
    import altair as alt

    stretches = _stretches(rows, x, y, SCORES_HEIGHT)
    layers = []
    for stretch, said in zip(stretches, words, strict=False):
        if not said:
            continue
        found = place(said, stretch, stretches, (WIDTH, SCORES_HEIGHT))
        base = alt.Chart(alt.InlineData([{}])).encode(
            x=alt.value(found.x), y=alt.value(found.y), text=alt.value(said)
        )
        layers += written(base, found.left, 12)
    return layers


def _stretches(rows: Sequence[Row], x: Capacity, y: Vertical, height: float) -> list[Obstacle]:
    """Returns where in a panel each row's point and bounds are."""
    return [
        Obstacle(
            x.at(row["level"]),
            *(y.at(row[end if row["bounded"] else "at"], height) for end in ("at", "high", "low")),
        )
        for row in rows
    ]


def _ticks(low: float, high: float) -> list[float]:
    """Returns few round numbers between two, on a logarithmic axis."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 5:
            break
    return ticks


def _knee(curve: Curve, x: Capacity, labels: bool) -> list[altair.Chart]:
    import altair as alt

    if curve.knee is None:
        return []
    base = alt.Chart(alt.InlineData([{"level": curve.knee}])).encode(x=x(labels))
    left = x.at(curve.knee) > 0.6 * WIDTH
    return [
        base.mark_rule(color=GREY, strokeWidth=1, strokeDash=[1, 2]),
        base.mark_text(
            align="right" if left else "left", dx=-4 if left else 4, fontSize=10, color=GREY
        ).encode(y=alt.value(6), text=alt.value("knee (for the eye)")),
    ]
