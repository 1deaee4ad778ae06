"""Where words go in a panel, so that they cover no line, point or bound."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

_LETTER = 6.3
"""Mean width of a letter at 12 points, in units of the picture."""

_GAP = 9.0
"""From a point, or from what is in the way, to the middle of the words."""

_FAR = 30.0
"""Words farther off than this would no longer be taken to belong to the point."""


@dataclass(frozen=True)
class Obstacle:
    """What words are not to cover: an upright stretch, and the line on to the next.

    Attributes:
        x: Units from the left edge of the panel.
        y: Where its point is, from the upper edge.
        top: Its upper end.
        bottom: Its lower end.
    """

    x: float
    y: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Place:
    """Where words go.

    Attributes:
        x: Units from the left edge, where the words begin or, to the left, end.
        y: Their middle, from the upper edge.
        left: Whether they stand to the left of their point.
    """

    x: float
    y: float
    left: bool


def place(
    words: str,
    point: Obstacle,
    obstacles: Sequence[Obstacle],
    size: tuple[float, float],
) -> Place:
    """Returns the place nearest to the point where the words cover as little as can be.

    Args:
        words: The words, in 12 points.
        point: What they are about.
        obstacles: All points from the left, their own included.
        size: Width and height of the panel.
    """
    found: list[tuple[float, Place]] = []
    width = _LETTER * len(words)
    for left in (False, True):
        x = point.x - 8 if left else point.x + 8
        start, end = (x - width, x) if left else (x, x + width)
        outside = max(0.0, -start) + max(0.0, end - size[0])
        tops, bottoms = zip(*_in_the_way(obstacles, start, end), strict=True)
        for y in (min(point.y, *tops) - _GAP, max(point.y, *bottoms) + _GAP + 2):
            off = abs(y - point.y)
            bad = 100 * (outside > 0) + outside + 100 * (not 7 <= y <= size[1] - 7)
            if off > _FAR:  # rather over a bound than far from what it is about
                y = point.y + (_GAP + 4 if y > point.y else -_GAP)
                bad += 60
            found.append((off + bad, Place(x, y, left)))
    return min(found, key=lambda choice: choice[0])[1]


def corner(words: str, y: float, obstacles: Sequence[Obstacle], width: float) -> tuple[bool, bool]:
    """Returns at which end of a level line words stand clearest: at the right, and below it.

    Args:
        words: The words, in 10 points.
        y: Where the line is, from the upper edge.
        obstacles: All that is drawn about it.
        width: The panel's width.
    """
    long = _LETTER * 10 / 12 * len(words) + 8

    def covered(choice: tuple[bool, bool]) -> int:
        right, below = choice
        top, bottom = (y, y + 14) if below else (y - 14, y)
        return sum(
            (o.x > width - long if right else o.x < long) and o.top < bottom and o.bottom > top
            for o in obstacles
        )

    # The first of equals: words are looked for above the line, where it begins.
    return min([(False, False), (True, False), (False, True), (True, True)], key=covered)


def _in_the_way(
    obstacles: Sequence[Obstacle], start: float, end: float
) -> list[tuple[float, float]]:
    """Returns the stretches, and the ends of the line's pieces, between two places."""
    stretches = [(o.top, o.bottom) for o in obstacles if start - 4 < o.x < end + 4]
    for one, other in itertools.pairwise(obstacles):
        for x in (start, end):
            if one.x <= x <= other.x and one.x < other.x:
                y = one.y + (other.y - one.y) * (x - one.x) / (other.x - one.x)
                stretches.append((y, y))
    return stretches or [(float("inf"), float("-inf"))]
