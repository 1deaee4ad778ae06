"""Reports of what a job found: one object, Markdown, and tables for a terminal.

A result is anything with what `tuner.Result` has. Importing this package imports no rich and
no numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.report.markdown import markdown
from tuner.report.objects import curve_to_dict, to_dict

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuner.client.result import Result

__all__ = ["curve_to_dict", "markdown", "table", "to_dict"]


def table(result: Result) -> RenderableType:
    """Returns the verdicts and every search's levels, for a rich console."""
    from tuner.report import tables  # rich is only loaded where something is drawn

    return tables.overview(result)
