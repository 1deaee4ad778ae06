"""Where data comes from, as a spec writes it: text and mapping say the same, faults are named."""

from __future__ import annotations

import pytest

from tuner import catalog
from tuner.catalog import Option, Source
from tuner.errors import TunerError
from tuner.spec import BlobFile, Dataset, JobSpec

MADE_UP = Source(
    "cells",
    "file",
    "cells of a table",
    options={
        "target": Option("text", "the column that is predicted", required=True),
        "missing": Option("choice", "cells", default="impute", values=("impute", "refuse")),
        "rows": Option("whole", "rows at most", low=1, high=100),
        "noise": Option("number", "spread", low=0, high=1),
        "drop": Option("names", "columns left out"),
    },
    tasks=("classification", "regression"),
)


@pytest.fixture(autouse=True)
def a_source(monkeypatch):
    monkeypatch.setattr(catalog, "SOURCES", {**catalog.SOURCES, "cells": MADE_UP})


def problems(dataset: object) -> dict[str, str]:
    with pytest.raises(TunerError) as caught:
        JobSpec.parse({"dataset": dataset, "searches": [{"learner": "perceptron"}]})
    return {v.field: v.problem for v in caught.value.violations}


def test_text_and_mapping_say_the_same():
    text = Dataset.model_validate("cells:a/b.csv?target=kind&rows=7&drop=x,y")
    options = {"target": "kind", "rows": 7, "drop": ["x", "y"]}
    mapping = Dataset(source="cells", path="a/b.csv", options=options)
    assert text == mapping
    assert dict(text.options) == {"missing": "impute", "target": "kind", "rows": "7", "drop": "x,y"}
    assert Dataset.model_validate(str(text)) == text


def test_what_is_behind_a_url_stays_with_it():
    found = Dataset.model_validate("npz:https://example.org/a.npz?signed=1")
    assert (found.path, dict(found.options)) == ("https://example.org/a.npz?signed=1", {})


@pytest.mark.parametrize(
    ("dataset", "field", "words"),
    [
        ("cells:a.csv", "dataset.options.target", "is missing: the column that is predicted"),
        ("cells:a.csv?target=x&traget=y", "dataset.options.traget", "did you mean 'target'?"),
        ("cells:a.csv?target=x&missing=no", "dataset.options.missing", "choose of impute, refuse"),
        ("cells:a.csv?target=x&rows=0", "dataset.options.rows", "whole number from 1 to 100"),
        ("cells:a.csv?target=x&rows=1.5", "dataset.options.rows", "can't be '1.5'"),
        ("cells:a.csv?target=x&noise=loud", "dataset.options.noise", "a number from 0 to 1"),
        ("cells:a.csv?target=x&noise=nan", "dataset.options.noise", "a number from 0 to 1"),
        ("digits?size=8", "dataset.options.size", "digits has no option 'size'; it has none"),
        ("digits:here", "dataset", "takes no path"),
        ("cells", "dataset", "needs a file; write cells:FILE"),
    ],
)
def test_a_fault_is_refused_with_its_field_and_its_cure(dataset, field, words):
    assert words in problems(dataset)[field]


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../b", "a//b", "a/", ".", "a\\b"])
def test_a_files_name_stays_within_its_folder(name):
    with pytest.raises(ValueError, match="name"):
        BlobFile(name=name, sha256="0" * 64, size_bytes=1)


def test_a_file_may_be_in_a_folder():
    assert BlobFile(name="cats/1.png", sha256="0" * 64, size_bytes=1).name == "cats/1.png"
