"""Lists of messages in portions that fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

MAX_BYTES = 1024 * 1024
"""A portion is closed once it is so large; gRPC's clients take four times as much."""

_Item = TypeVar("_Item", bound=Message)


def portions(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Yields the messages in lists of so many at most, closed early where they grow large."""
    portion: list[_Item] = []
    size = 0
    for item in items:
        portion.append(item)
        size += item.ByteSize()
        if len(portion) == most or size >= MAX_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
