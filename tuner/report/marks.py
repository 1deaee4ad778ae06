"""What the panels of a picture share: colours, scales, points and bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tuner.curve import Curve, CurveLevel

if TYPE_CHECKING:
    import altair

WIDTH = 250

# Of Okabe and Ito's palette for all kinds of colour vision (2008); their greys differ, too.
INK, BLUE, RED, GREY = "#333333", "#0072b2", "#d55e00", "#767676"

ENOUGH, MAYBE, BARRED, OTHER = "enough", "maybe", "barred", "other"
"""What the verdict says of a level; each has a shape of its own."""

Row = dict[str, Any]


def mark_of(curve: Curve, row: CurveLevel) -> str:
    """Returns what the verdict says of a level."""
    if row.barred:
        return BARRED
    if curve.verdict is None:
        return OTHER
    if row.level == curve.verdict.level:
        return ENOUGH
    return MAYBE if row.level in curve.verdict.not_excluded else OTHER


def bar(low: float | None, high: float | None, share: float = 1.0) -> Row:
    """Returns the bounds, divided by a number, as part of a row; says where there are none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return {"bounded": False}
    return {"bounded": True, "low": low / share, "high": high / share}


def in_runs(rows: Sequence[Row]) -> list[Row]:
    """Returns rows that tell which unbroken run of bounded ones they are in."""
    run, told = 0, []
    for row in rows:
        run += not row["bounded"]
        told.append(row | {"run": run})
    return told


def points(base: altair.Chart, y: Callable[[str], altair.Y]) -> altair.Chart:
    """Returns a point a row: a diamond where it is enough, a hollow one where it may be.

    A level that breaks a limit is a cross.
    """
    import altair as alt

    enough, other = alt.datum.mark == ENOUGH, alt.datum.mark == OTHER
    barred = alt.datum.mark == BARRED
    drawn: altair.Chart = base.mark_point(filled=True, opacity=1).encode(
        y=y("at"),
        shape=alt.when(other)
        .then(alt.value("circle"))
        .when(barred)
        .then(alt.value("cross"))
        .otherwise(alt.value("diamond")),
        angle=alt.condition(barred, alt.value(45), alt.value(0)),
        size=alt.condition(other, alt.value(45), alt.value(120)),
        fill=alt.when(enough)
        .then(alt.value(INK))
        .when(other)
        .then(alt.value(BLUE))
        .when(barred)
        .then(alt.value(GREY))
        .otherwise(alt.value("white")),
        stroke=alt.when(enough)
        .then(alt.value("white"))
        .when(other)
        .then(alt.value("white"))
        .when(barred)
        .then(alt.value("white"))
        .otherwise(alt.value(INK)),
        strokeWidth=alt.value(1.2),
    )
    return drawn


def bounds(base: altair.Chart, y: Vertical) -> list[altair.Chart]:
    """Returns the bounds; a dotted line from edge to edge where a level should have some."""
    bounded = base.transform_filter("datum.bounded")
    lacking = base.transform_filter(f"!datum.bounded && datum.mark != '{BARRED}'")
    caps = bounded.mark_tick(
        color=INK, opacity=1, thickness=1, size=8, orient="horizontal", clip=True
    )
    return [
        lacking.mark_rule(color=GREY, strokeDash=[1, 3]),
        bounded.mark_rule(color=INK, strokeWidth=1, clip=True).encode(y=y("low"), y2="high:Q"),
        caps.encode(y=y("low")),
        caps.encode(y=y("high")),
    ]


def predicted(row: Row, before: Row | None, x: altair.X, y: Vertical) -> list[altair.Chart]:
    """Returns a hollow point with its dashed interval, and a dashed line that leads to it."""
    import altair as alt

    base = alt.Chart(alt.InlineData([row])).encode(x=x)
    dashed: Row = {"color": BLUE, "strokeWidth": 1.2, "strokeDash": [4, 3], "clip": True}
    cap = base.mark_tick(color=BLUE, opacity=1, thickness=1, size=8, orient="horizontal", clip=True)
    layers = [
        base.mark_rule(**dashed).encode(y=y("low"), y2="high:Q"),
        *(cap.encode(y=y(end)) for end in ("low", "high")),
        base.mark_point(
            shape="circle", fill="white", stroke=BLUE, strokeWidth=1.5, size=45, opacity=1
        ).encode(y=y("at")),
    ]
    if before is not None:
        line = alt.Chart(alt.InlineData([before, row])).encode(x=x)
        layers.insert(0, line.mark_line(**dashed).encode(y=y("at")))
    return layers


def written(base: altair.Chart, left: bool, size: int, dy: float = 0.0) -> list[altair.Chart]:
    """Returns words, that end or begin where they are put; bars and lines end before them."""
    styles: list[Row] = [{"stroke": "white", "strokeWidth": 3}, {"fill": INK}]
    align: Literal["left", "right"] = "right" if left else "left"
    return [base.mark_text(align=align, fontSize=size, dy=dy, **style) for style in styles]


class Capacity:
    """The horizontal axis: the whole ladder, a doubling as wide as any other.

    Args:
        curve: The curve.
        also: Levels to show beyond the declared ones.
    """

    def __init__(self, curve: Curve, also: Iterable[float] = ()) -> None:
        self.ladder = sorted({row.level for row in curve.levels} | {*curve.unmeasured, *also})
        self._low, self._high = self.ladder[0] / 2**0.4, self.ladder[-1] * 2**0.4
        self._title = curve.axis

    def __call__(self, labels: bool) -> altair.X:
        """Returns the axis, with or without its title and labels."""
        import altair as alt

        return alt.X(
            "level:Q",
            scale=alt.Scale(type="log", base=2, domain=[self._low, self._high]),
            axis=alt.Axis(
                title=self._title if labels else None,
                values=self.ladder,
                format=",.12~r",
                labels=labels,
                grid=False,
                labelOverlap="greedy",
                labelSeparation=4,
            ),
        )

    def at(self, level: float) -> float:
        """Returns where a level is, in units of the picture from the left edge."""
        return WIDTH * math.log(level / self._low) / math.log(self._high / self._low)


class Vertical:
    """The vertical axis of a panel, for whichever value is put on it.

    A bound from few replicates can be a hundred times as wide as what there is to
    be seen, so it is cut off at the edge, where its cap is missing.

    Args:
        rows: What is drawn.
        title: The axis's title, in parts that may stand below one another.
        height: The panel's height.
        also: Other values to show.
        span: The least to show, so that noise isn't drawn as large as what matters.
        floor: The least value that there can be.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        title: Sequence[str],
        *,
        height: float,
        also: Sequence[float] = (),
        span: float = 0.0,
        floor: float = -math.inf,
    ) -> None:
        self.domain = _domain(rows, also, span, floor)
        self._title = in_lines(title, height)
        self._limit = height + 10

    def at(self, value: float, height: float) -> float:
        """Returns where a value is, in units from the upper edge of a panel of that height."""
        low, high = self.domain
        return height * (high - min(max(value, low), high)) / (high - low)

    def __call__(self, value: str) -> altair.Y:
        """Returns the axis for the value of that name."""
        import altair as alt

        ticks, decimals = even_ticks(*self.domain)
        return alt.Y(
            f"{value}:Q",
            scale=alt.Scale(domain=self.domain, nice=False, zero=False),
            axis=alt.Axis(
                title=self._title,
                values=ticks,
                format=f",.{decimals}f",
                minExtent=46,
                titlePadding=6,
                titleLimit=self._limit,
            ),
        )


def in_lines(title: Sequence[str], height: float) -> str | list[str]:
    """Returns a title that stands upright: in a line, or where that is too long in several."""
    whole = " ".join(title).strip()
    return whole if 5.5 * len(whole) <= height + 10 else [part for part in title if part]


def even_ticks(low: float, high: float) -> tuple[list[float], int]:
    """Returns three to seven round numbers between two, and how many decimals they need.

    None is so near the upper end that its label would stand out above the panel.
    """
    span = high - low
    decade = 10.0 ** math.floor(math.log10(span / 7))
    step = next(s * decade for s in (1, 2, 5, 10) if span / (s * decade) <= 7)
    first, last = math.ceil(low / step), math.floor((high - 0.04 * span) / step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [round(i * step, decimals) for i in range(first, last + 1)], decimals


def _domain(rows: Sequence[Row], also: Sequence[float], span: float, floor: float) -> list[float]:
    """Returns what a vertical axis shows: all estimates, and the bounds as far as that helps."""
    shown = [row["at"] for row in rows] + list(also)
    low, high = min(shown), max(shown)
    # Of a single level, there is nothing but its bounds to be seen.
    room = math.inf if len(rows) == 1 and not also else max(high - low, span) / 2 or 1.0
    edges = [row[name] for row in rows if row["bounded"] for name in ("low", "high")]
    low, high = max(min([low, *edges]), low - room), min(max([high, *edges]), high + room)
    lacking = max(span - (high - low), 0.0)
    pad = lacking / 2 + 0.12 * (high - low + lacking) or 1.0
    return [max(low - pad, floor), high + pad]
