"""Draws docs/corruptions.png: one digit under every corruption of images.

    python benchmarks/corruption_pictures.py

The digit is of MNIST where its IDX files lie in ../shared/data/mnist, else of scikit-learn's
digits. What is drawn is what learners are measured on: the ranges are those of 1,000 images.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[1]))

from tuner.catalog import PERTURBATIONS
from tuner.datasets import registry as sources
from tuner.datasets.base import Data, Fold, Request
from tuner.learners.base import Device
from tuner.record import seed_of
from tuner.robustness import registry
from tuner.robustness.base import Effort, Victim

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "corruptions.png"
MNIST = ROOT.parent / "shared" / "data" / "mnist"
RANGE_OF = 1_000
"""Images that stand for a training part."""
DIGIT = 3
SIDE, GAP, LABEL = 112, 8, 92
"""In pixels of the picture: a cell's side, what lies between cells, and the labels' column."""
INK = 0x22


def main() -> None:
    if MNIST.is_dir():
        data = sources.load("idx", Request(path=MNIST))
    else:
        data = sources.load("digits", Request())
    picture = drawn(data)
    picture.save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


def drawn(data: Data) -> Image.Image:
    """Returns the picture: a row for each corruption by severity, and one for shifts."""
    rows = [(known.name, cells(known.name, data)) for known in PERTURBATIONS.values() if of(known)]
    rows.sort(key=lambda row: len(row[1]), reverse=True)  # shifts, which are fewer, below
    width = LABEL + 6 * (SIDE + GAP)
    height = sum(SIDE + GAP + (26 if first(rows, row) else 0) for row in rows)
    picture = Image.new("L", (width, height), 0xFF)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=15)
    top = 0
    for name, row in rows:
        if first(rows, (name, row)):
            top += 26
            for place, (title, _) in enumerate(row):
                middle = LABEL + place * (SIDE + GAP) + SIDE // 2
                pen.text((middle, top - 14), title, INK, font, anchor="mm")
        pen.text((LABEL - 12, top + SIDE // 2), name, INK, font, anchor="rm")
        for place, (_, image) in enumerate(row):
            picture.paste(cell(image), (LABEL + place * (SIDE + GAP), top))
        top += SIDE + GAP
    return picture


def of(known) -> bool:
    return known.group == "corruption" and "images" in known.inputs


def first(rows, row) -> bool:
    """Tells whether a row is the first of its titles, which stand above it."""
    titles = [[title for title, _ in cells] for _, cells in rows]
    place = [name for name, _ in rows].index(row[0])
    return place == 0 or titles[place] != titles[place - 1]


def cells(name: str, data: Data) -> list[tuple[str, npt.NDArray[np.float32]]]:
    """Returns one digit, undisturbed and under a corruption, each with its title."""
    x, y = data.x[:RANGE_OF], data.y[:RANGE_OF]
    one = x[np.flatnonzero(y == DIGIT)[:1]]
    fold = Fold(0, 0, x, y, x, y, len(data.classes))
    victim = Victim(None, one, np.array([DIGIT]), fold)

    def under(strength: float):
        seed = seed_of(0, "condition", name)
        return registry.disturb(name)(victim, strength, Effort(), seed, Device()).x[:, 0]

    if name == "shift":
        pixels = 1 if x.shape[-1] < 16 else 4
        ways = ("up", "down", "left", "right")
        titles = [f"{pixels} {way}" for way in ways]
        return [("undisturbed", one[0, 0]), *zip(titles, under(pixels), strict=True)]
    severities = [(f"severity {severity}", under(severity)[0]) for severity in range(1, 6)]
    return [("undisturbed", one[0, 0]), *severities]


def cell(image: npt.NDArray[np.float32]) -> Image.Image:
    """Returns an image of values from 0 to 1 as one cell, its pixels as squares."""
    grey = Image.fromarray(np.round(image * 255).astype(np.uint8))
    return grey.resize((SIDE, SIDE), Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
