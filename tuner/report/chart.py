"""Returns curves as a picture: one definition for SVG and PNG, drawn offline.

Nothing is told by colour alone, so that it reads in grey and to the
colour-blind: what is enough is a diamond and says so, the margin is dashed.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuner.curve import Curve
from tuner.errors import Status, TunerError
from tuner.report import naming
from tuner.report.objects import split_baselines
from tuner.report.panels import GREY, INK, gains, scores

if TYPE_CHECKING:
    import altair

    from tuner.client.result import Result

COLUMNS = 3
PIXELS = 2
"""Pixels of a PNG to a unit of the picture."""

_CAPTION = (
    "Bars are bounds that hold however often one looks, cut off at the edge where they are wide; "
    "a dotted line: too few replicates for any."
)


def check_installed() -> None:
    """Raises TunerError, FAILED_PRECONDITION, where what draws is not installed."""
    lacking = [name for name in ("altair", "vl_convert") if importlib.util.find_spec(name) is None]
    if lacking:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "NOT_INSTALLED",
            f"pictures need {', '.join(lacking)}: pip install 'tuner[charts]'",
        )


def svg(result: Result) -> str:
    """Returns the picture of all searches as SVG. Raises as `chart` does."""
    text = io.StringIO()
    chart(_searches(result)).save(text, format="svg")
    return text.getvalue()


def png(result: Result) -> bytes:
    """Returns the picture of all searches as PNG. Raises as `chart` does."""
    content = io.BytesIO()
    chart(_searches(result)).save(content, format="png", scale_factor=PIXELS)
    return content.getvalue()


def chart(curves: Sequence[Curve]) -> altair.ConcatChart:
    """Returns the definition of the picture: one column a curve.

    Above, the scores against capacity, with what is enough; below, the gain of
    each doubling against the margin. Curves that have no axis, or no score
    yet, are left out.

    Raises:
        TunerError: FAILED_PRECONDITION where nothing is there to be drawn, or
            altair or vl-convert is not installed.
    """
    check_installed()
    import altair as alt

    drawn = [curve for curve in curves if curve.axis and naming.best(curve)]
    if not drawn:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "NOTHING_TO_DRAW",
            "there is no curve to draw yet: no level of a search with an axis has a score",
        )
    picture: altair.ConcatChart = (
        alt.concat(*map(_column, drawn), columns=COLUMNS, spacing=28)
        .properties(
            title=alt.TitleParams(
                _CAPTION,
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


def _searches(result: Result) -> list[Curve]:
    order = [search.key for search in result.job.spec.all_searches()]
    return split_baselines(result.curves, order)[0]


def _column(curve: Curve) -> altair.VConcatChart:
    import altair as alt

    title = alt.TitleParams(
        naming.title(curve),
        subtitle=naming.plain_verdict(curve),
        anchor="start",
        fontSize=13,
        subtitleFontSize=12,
    )
    return alt.vconcat(scores(curve), gains(curve), spacing=14, bounds="flush").properties(
        title=title
    )
