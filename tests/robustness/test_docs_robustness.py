"""The page on robustness agrees with the catalog, the strengths in use, and the picture."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tuner.catalog import PERTURBATIONS, Perturbation
from tuner.datasets import registry as sources
from tuner.datasets.base import Fold, Request
from tuner.robustness import corruptions
from tuner.robustness.training import imbalance
from tuner.spec import JobSpec

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "robustness.md").read_text()
PICTURE = ROOT / "docs" / "corruptions.png"
SAID = {"classification": "classes", "regression": "numbers"}


def table(heading: str) -> dict[str, list[str]]:
    """Returns the rows of the table under a heading, by their first cells."""
    text = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {row[0]: row[1:] for row in cells}


ROWS = table("What there is")


def test_every_perturbation_is_there_in_the_catalogs_order() -> None:
    assert list(ROWS) == [f"`{name}`" for name in PERTURBATIONS]


@pytest.mark.parametrize("known", PERTURBATIONS.values(), ids=lambda known: known.name)
def test_its_row_says_strengths_and_what_it_is_for(known: Perturbation) -> None:
    _, unit, *numbers, inputs, predicts = ROWS[f"`{known.name}`"]
    assert unit == ("radius" if known.group == "attack" else known.unit)
    assert [float(number) for number in numbers] == [known.low, known.high, known.default]
    assert inputs == ", ".join(known.inputs)
    assert predicts == ", ".join(SAID[task] for task in known.tasks)


@pytest.mark.parametrize(
    ("row", "strengths"),
    [
        ("`noise` on images", corruptions.NOISE),
        ("`noise` on tables", corruptions.TABLE_NOISE),
        ("`blur`", corruptions.BLUR),
        ("`contrast`", corruptions.CONTRAST),
    ],
)
def test_severities_are_those_in_use(row: str, strengths) -> None:
    told = table("How strong")
    assert len(told) == 4
    assert [float(cell) for cell in told[row][:5]] == [strengths[s] for s in (1, 2, 3, 4, 5)]


def test_shares_of_noisy_columns_that_are_their_own() -> None:
    own = [1 / (1 + size**2) for size in corruptions.TABLE_NOISE.values()]
    assert [round(100 * share) for share in own] == [99, 96, 86, 67, 50]
    assert "99 %, 96 %, 86 %, 67 % and half" in " ".join(PAGE.split())


def test_what_a_long_tail_leaves() -> None:
    y = np.tile(np.arange(10), 1000)
    x = np.zeros((len(y), 1), np.float32)
    left = len(imbalance(Fold(0, 0, x, y, x, y, 10), 0.1, 0).y) / len(y)
    assert f"{left:.0%}".replace("%", " %") in PAGE
    assert round(left, 2) == 0.41


def test_its_specs_are_valid() -> None:
    specs = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(specs) == 3
    for text in specs:
        JobSpec.parse(yaml.safe_load(text))


def test_its_tiny_training_sets_are_five_a_class() -> None:
    [text] = [t for t in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "samples" in t]
    smallest = {search.levels[0] for search in JobSpec.parse(yaml.safe_load(text)).searches}
    assert smallest == {5 * len(sources.load("digits", Request()).classes)}


def drawing():
    """Returns benchmarks/corruption_pictures.py."""
    path = ROOT / "benchmarks" / "corruption_pictures.py"
    found = importlib.util.spec_from_file_location("corruption_pictures", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_picture_is_there_and_small() -> None:
    assert PICTURE.stat().st_size < 100_000
    assert "](corruptions.png)" in PAGE


def test_the_picture_is_of_the_strengths_in_use() -> None:
    """Drawn again it has the same pixels, but for rounding, and for letters of another font."""
    module = drawing()
    if not module.MNIST.is_dir():
        pytest.skip(
            "MNIST's IDX files, of which the picture was made, aren't beside the repository"
        )
    committed = np.asarray(Image.open(PICTURE), dtype=int)
    again = np.asarray(module.drawn(sources.load("idx", Request(path=module.MNIST))), dtype=int)
    assert (abs(committed - again) > 1).mean() < 0.01


def test_every_cell_of_a_picture_is_told_from_the_one_before() -> None:
    """Of scikit-learn's digits, 8 pixels a side: the hardest to show a blur on."""
    module = drawing()
    data = sources.load("digits", Request())
    # Where MNIST isn't, this is what is drawn.
    assert module.drawn(replace(data, x=data.x[:1000], y=data.y[:1000])).size[0] > 600
    for name in ("noise", "blur", "contrast", "shift"):
        images = [image for _, image in module.cells(name, data)]
        for before, image in pairwise(images):
            # Somewhere in the image by ten greys of 256 or more.
            assert abs(image - before).max() > 10 / 256, name
