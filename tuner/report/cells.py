"""Tables and lists in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(heading: str, entries: Sequence[str]) -> list[str]:
    """Returns a heading and its entries; nothing where there are none."""
    return ["", heading, "", *(f"- {entry}" for entry in entries)] if entries else []


def table(header: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> list[str]:
    """Returns a table without the columns of which nothing is known.

    Args:
        header: A name a column.
        rows: A cell a column; a dash where there is nothing.
        sides: A letter a column: l, or r where numbers stand one below another.
    """
    whole = list(rows)
    known = [i for i in range(len(header)) if any(row[i] != "–" for row in whole)]
    return [
        _row([header[i] for i in known]),
        _row(["---:" if sides[i] == "r" else "---" for i in known]),
        *(_row([row[i] for i in known]) for row in whole),
    ]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
