"""A result as one page that needs nothing else: the picture, and the report in Markdown.

The page runs no script and loads nothing, and says so to the browser. Markdown
is read with neither HTML, links nor images, so that no name can bring them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from tuner.errors import TunerError
from tuner.report import chart
from tuner.report.markdown import markdown

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

    from tuner.client.result import Result

_RULES = ["heading", "list", "table", "fence", "escape", "backticks", "emphasis"]
"""All of Markdown that the report uses."""

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --faint: #666; --line: #ccc; --paper: #fff; }
html { background: var(--paper); color: var(--ink); }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
main > p, main > ul { max-width: 46rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .75rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
figure { margin: 1.5rem 0; }
figcaption { color: var(--faint); }
svg { display: block; max-width: 100%; height: auto; margin-left: -12px; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums;
  border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink); }
th { font-weight: 600; text-align: left; border-bottom: 1px solid var(--ink);
  vertical-align: bottom; }
th, td { padding: .25rem .75rem; white-space: nowrap; }
th:first-child, td:first-child { padding-left: .25rem; }
code { font: .875em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid var(--line);
  border-radius: 4px; }
pre code { overflow-wrap: normal; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --faint: #999; --line: #444; --paper: #141414; }
  /* White becomes the paper's colour; blue stays blue. */
  svg { filter: invert(.92) hue-rotate(180deg); }
}
@media print {
  @page { margin: 16mm; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  .wide { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { padding: .15rem .4rem; white-space: normal; }
  pre { white-space: pre-wrap; }
}
"""


def page(result: Result) -> str:
    """Returns the page. Where what draws is not installed, it says so in the picture's place."""
    text = markdown(result)
    title = text.partition("\n")[0].removeprefix("# ")
    opening, found, rest = _reader().render(text).partition("<h2>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{opening}{_figure(result)}{found}{rest}</main>\n</body>\n</html>\n"
    )


def _figure(result: Result) -> str:
    curves = chart.searches(result)
    if not chart.drawn(curves):
        return ""
    try:
        shown = chart.svg_of(curves)
    except TunerError as error:
        shown = f"<figcaption>{escape(error.message)}</figcaption>"
    return f"<figure>{shown}</figure>\n"


def _reader() -> MarkdownIt:
    # Loaded only where a page is made.
    from markdown_it import MarkdownIt

    reader = MarkdownIt("zero").enable(_RULES)
    reader.add_render_rule("table_open", _open_table)
    reader.add_render_rule("table_close", _close_table)
    return reader


def _open_table(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Lets a table that is wider than the screen be moved about without the page."""
    return '<div class="wide"><table>\n'


def _close_table(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    return "</table></div>\n"
