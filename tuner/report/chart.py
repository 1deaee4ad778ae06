"""Returns curves as a picture: one definition for SVG and PNG, drawn offline.

Nothing is told by colour alone, so that it reads in grey and to the
colour-blind: what is enough is a diamond and says so, the margin is dashed.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuner.curve import Curve
from tuner.errors import Status, TunerError
from tuner.installed import lacking, require
from tuner.report import naming
from tuner.report.marks import GREY, INK, WIDTH, bar
from tuner.report.objects import split_baselines
from tuner.report.panels import foreseen, panels
from tuner.report.svg import tidy

if TYPE_CHECKING:
    import altair

    from tuner.client.result import Result

COLUMNS = 3
PIXELS = 2
"""Pixels of a PNG to a unit of the picture."""

_LETTERS = (WIDTH + 80) // 5
"""Letters of the caption that fit below a column."""


_DRAWING = ("altair", "vl_convert")


def can_draw() -> bool:
    """Tells whether what draws is installed."""
    return not lacking(*_DRAWING)


def check_installed() -> None:
    """Raises TunerError, FAILED_PRECONDITION, where what draws is not installed."""
    require("pictures need", "pip install 'tuner[charts]'", *_DRAWING)


def svg(result: Result) -> str:
    """Returns the picture of all searches as SVG. Raises as `chart` does."""
    return svg_of(searches(result))


def png(result: Result) -> bytes:
    """Returns the picture of all searches as PNG. Raises as `chart` does."""
    return png_of(searches(result))


def svg_of(curves: Sequence[Curve]) -> str:
    """Returns the picture of these curves as SVG. Raises as `chart` does."""
    text = io.StringIO()
    chart(curves).save(text, format="svg")
    words = "; ".join(f"{naming.title(c)}: {naming.plain_verdict(c)}" for c in drawn(curves))
    return tidy(text.getvalue(), words)


def png_of(curves: Sequence[Curve]) -> bytes:
    """Returns the picture of these curves as PNG. Raises as `chart` does."""
    content = io.BytesIO()
    chart(curves).save(content, format="png", scale_factor=PIXELS)
    return content.getvalue()


def searches(result: Result) -> list[Curve]:
    """Returns the curves that are drawn of a result: its searches', in the spec's order."""
    order = [search.key for search in result.job.spec.all_searches()]
    return split_baselines(result.curves, order)[0]


def drawn(curves: Sequence[Curve]) -> list[Curve]:
    """Returns those of the curves that can be drawn: with an axis, and a score."""
    return [curve for curve in curves if curve.axis and naming.best(curve)]


def chart(curves: Sequence[Curve]) -> altair.ConcatChart:
    """Returns the definition of the picture: one column a curve.

    From the top: the scores against capacity, with what is enough; the gain of
    each doubling against the margin; the cost against capacity. Curves that have
    no axis, or no score yet, are left out.

    Raises:
        TunerError: FAILED_PRECONDITION where nothing is there to be drawn, or
            altair or vl-convert is not installed.
    """
    check_installed()
    import altair as alt

    shown = drawn(curves)
    if not shown:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "NOTHING_TO_DRAW",
            "there is no curve to draw yet: no level of a search with an axis has a score",
        )
    picture: altair.ConcatChart = (
        alt.concat(*map(_column, shown), columns=COLUMNS, spacing=28)
        .properties(
            title=alt.TitleParams(
                _caption(shown),
                orient="bottom",
                anchor="start",
                fontSize=10,
                fontWeight="normal",
                offset=14,
            )
        )
        .configure(
            # What reads a picture aloud reads the words about it; these would be half of the file.
            aria=False,
            background="white",
            padding=12,
            font="sans-serif",
        )
        .configure_title(color=INK, subtitleColor=INK)
        .configure_axis(
            domainColor=GREY,
            tickColor=GREY,
            gridColor="#eeeeee",
            labelColor=INK,
            titleColor=INK,
            titleFontWeight="normal",
        )
        .configure_view(stroke=None)
    )
    return picture


def _caption(curves: Sequence[Curve]) -> list[str]:
    """Returns what has to be said of what is drawn, in lines as wide as the picture."""
    designs = {curve.design for curve in curves}
    bars = "Bars and bands are bounds"
    if designs == {"sequential"}:
        bars += " that hold however often one looks"
    elif designs == {"fixed"}:
        bars += " for a number of replicates set beforehand"
    said = [f"{bars}, cut off at the edge where they are wide"]
    levels = [row for curve in curves for row in curve.levels if row.score is not None]
    judged = [row for row in levels if not row.barred]
    if any(bar(row.low, row.high) == {"bounded": False} for row in judged):
        said.append("a dotted line: too few replicates for any")
    verdicts = [curve.verdict for curve in curves if curve.verdict is not None]
    if any(verdict.level is not None for verdict in verdicts):
        said.append("a diamond is enough")
    unsure = [curve for curve in curves if curve.verdict and curve.verdict.not_excluded]
    if unsure:
        chance = ", with its chance" if any(c.level_probabilities for c in unsure) else ""
        said.append(f"an open diamond may be enough{chance}")
    if len(judged) < len(levels):
        said.append("a cross breaks a limit, and isn't judged")
    if any(foreseen(curve) for curve in curves):
        said.append("an open circle is predicted")
    return textwrap.wrap("; ".join(said) + ".", min(len(curves), COLUMNS) * _LETTERS)


def _column(curve: Curve) -> altair.VConcatChart:
    import altair as alt

    title = alt.TitleParams(
        naming.title(curve),
        subtitle=naming.plain_verdict(curve),
        anchor="start",
        fontSize=13,
        subtitleFontSize=12,
    )
    return alt.vconcat(*panels(curve), spacing=14, bounds="flush").properties(title=title)
