"""docs/data.md says what the catalog and the code do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from tuner import catalog
from tuner.datasets import columns, content, images, openml, splits, table, torchvision
from tuner.spec import JobSpec, Split

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text()


METHODS = get_args(Split.model_fields["method"].annotation)


def rows(heading: str) -> list[list[str]]:
    """Returns the cells of a section's first table, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_every_source_is_there_as_the_catalog_has_it_and_no_other() -> None:
    written = rows("Sources")
    said = [
        [
            f"`{source.name}`"
            if source.path == "none"
            else f"`{source.name}:{source.path.upper()}`",
            source.description,
            ", ".join(source.tasks),
        ]
        for source in catalog.SOURCES.values()
    ]
    assert written == said


def test_every_option_is_there_as_the_catalog_has_it_and_no_other() -> None:
    written = {
        (name.strip("`"), of.strip(" `"), default.strip("`"), text)
        for name, sources, default, text in rows("Options")
        for of in sources.split(",")
    }
    said = {
        (name, source.name, "required" if o.required else o.default or "none", o.description)
        for source in catalog.SOURCES.values()
        for name, o in source.options.items()
    }
    assert written == said


def test_every_method_of_splitting_is_there() -> None:
    assert {row[0].strip("`") for row in rows("Splits")} == set(METHODS)


@pytest.mark.parametrize(
    "said",
    [
        f"more than {table.MAX_COLUMNS:,} columns",
        f"more than {content.MAX_BYTES // 2**30} GiB",
        f"more than {images.MAX_PIXELS // 10**6} million pixels",
        f"Fewer than {splits.FEW} test cases",
        openml.SERVER,
        torchvision.MIRROR,
    ],
)
def test_limits_and_names_are_those_of_the_code(said: str) -> None:
    assert said in " ".join(PAGE.split())


def test_what_stands_for_a_missing_cell_is_told() -> None:
    words = re.search(r"an empty cell is missing, and so are (.*), in any", PAGE)
    assert words is not None
    told = [word.lower() for word in re.findall(r"`(.*?)`", words[1])]
    assert sorted(told) == sorted(word for word in columns.MISSING if word)


def test_specs_are_valid() -> None:
    specs = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(specs) == 2
    for text in specs:
        JobSpec.parse(yaml.safe_load(text))
