"""Lists that come in pages (AIP-158)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar


class Page(Protocol):
    """An answer that may have a next one."""

    @property
    def next_page_token(self) -> str:
        """Where the next page begins; empty at the last."""
        ...


_Page = TypeVar("_Page", bound=Page)
_Item = TypeVar("_Item")


def paged(
    fetch: Callable[[str], _Page], items: Callable[[_Page], Iterable[_Item]]
) -> Iterator[_Item]:
    """Yields the items of every page.

    Args:
        fetch: Returns the page of a token; the empty token's is the first.
        items: Returns what a page holds.
    """
    token = ""
    while True:
        page = fetch(token)
        yield from items(page)
        token = page.next_page_token
        if not token:
            return
