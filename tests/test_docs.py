"""The reference pages agree with the code: fields, defaults, refusals, reasons, bounds."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from google.protobuf.descriptor import FileDescriptor
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from benchmarks import fooling
from tuner import catalog
from tuner.errors import TunerError
from tuner.returns.bounds import mixture_multiplier
from tuner.spec import BlobFile, Code, JobSpec, KeptModel, Search, Worth, read_jobs
from tuner.v1 import runner_service_pb2, tuner_service_pb2

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SPEC = (DOCS / "spec.md").read_text()
API = (DOCS / "api.md").read_text()
FILLED_IN = ("refit", "entry")  # by the client; nobody writes them


def rows(text: str, columns: int) -> list[list[str]]:
    """Returns the cells of every row of every table of so many columns, but for the rulers."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if len(row) == columns and set(row[0]) != {"-"}]


def fields(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yields every field of a model and of the models in it, by its path."""
    inner = {
        "searches": ("searches[]", Search),
        "files": ("files[]", BlobFile),
        "worth": ("worth", Worth),
        "code": ("code", Code),
        "model": ("model", KeptModel),
        "archive": ("archive", BlobFile),
    }
    for name, field in model.model_fields.items():
        if name in FILLED_IN:
            continue
        yield before + name, field
        part = field.annotation
        if name in inner:
            path, part = inner[name]
            yield from fields(part, f"{before}{path}.")
        elif isinstance(part, type) and issubclass(part, BaseModel):
            yield from fields(part, f"{before}{name}.")


def written(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, str) and value:
        return f"`{value}`"
    return f"`{json.dumps(value)}`"


@pytest.mark.parametrize(("path", "field"), list(fields(JobSpec)), ids=lambda v: str(v)[:40])
def test_every_field_of_a_spec_is_there_with_its_default(path: str, field: FieldInfo):
    table = {row[0]: row[1] for row in rows(SPEC, 3)}
    assert table.get(f"`{path}`") == written(field)


def test_no_field_is_there_that_a_spec_has_not():
    named = {row[0].strip("`") for row in rows(SPEC, 3)} - {"field"}
    assert named == {path for path, _ in fields(JobSpec)}


REFUSALS = [row for row in rows(SPEC, 2) if row[0] != "in the spec"]


def test_conditions_are_told_as_the_catalog_has_them():
    told: dict[str, list[str]] = {}
    for row in rows(SPEC, 4):
        told |= dict.fromkeys(re.findall(r"`(\w+)`", row[0]), row)
    assert set(told) == set(catalog.PERTURBATIONS)
    for name, known in catalog.PERTURBATIONS.items():
        _, _, strength, of = told[name]
        assert strength.endswith(f"; {known.default:g}")
        assert {kind for kind in ("images", "tables") if kind in of} == set(known.inputs)
        assert ("classification" in of) == (known.tasks == ("classification",))
        able = [learner.name for learner in catalog.LEARNERS.values() if learner.gradients]
        assert re.findall(r"`(\w+)`", of) == (able if known.gradients else [])


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row[0][:60])
def test_refusals_read_as_they_are_quoted(row: list[str]):
    with pytest.raises(TunerError) as caught:
        JobSpec.parse(yaml.safe_load(row[0].strip("`")))
    said = [f"{v.field}: {v.problem}" for v in caught.value.violations]
    assert said == [row[1].strip("`")]


def test_specs_in_the_docs_are_valid(tmp_path):
    specs = re.findall(r"```yaml\n(.*?)```", SPEC, re.DOTALL)
    assert len(specs) >= 2
    for text in specs:
        (tmp_path / "job.yaml").write_text(text)
        assert read_jobs(tmp_path / "job.yaml")


def test_the_bounds_of_few_replicates_are_what_the_code_reckons():
    text = (DOCS / "verdicts.md").read_text()
    table = [row for row in rows(text, 5) if row[0].isdigit()]
    assert [row[0] for row in table] == ["3", "4", "5", "6", "8", "12", "20"]
    for row in table:
        n = int(row[0])
        for ladder, cell in zip((2, 4, 6, 10), row[1:], strict=True):
            bound = mixture_multiplier(n, 2 * 0.05 / (ladder - 1)) / n**0.5
            assert cell == ("∞" if bound == float("inf") else f"{bound:.2f}")


@pytest.mark.parametrize(
    "way",
    [
        fooling.knee_on_raw_axes,
        fooling.forced_monotonicity,
        fooling.changed_block,
        fooling.far_extrapolation,
        lambda: fooling.best_of_seeds(np.random.default_rng(0), 20_000),
    ],
)
def test_the_figures_of_ways_to_fool_oneself_are_those_that_are_measured(way):
    """The rest of benchmarks/fooling.py trains or simulates for longer."""
    page = (DOCS / "returns.md").read_text().replace(",202", "202")
    name, measured = way()
    assert name.lower() in page.lower()
    for figure in re.findall(r"\d+\.\d\d", measured):
        assert figure in page or figure.removeprefix("0") in page, figure


@pytest.mark.parametrize("outcome", ["PLATEAUED", "DECLINING", "RISING", "INCONCLUSIVE"])
def test_every_verdict_is_explained(outcome: str):
    assert f"`{outcome}`" in (DOCS / "verdicts.md").read_text()


@pytest.mark.parametrize(
    "file", [tuner_service_pb2.DESCRIPTOR, runner_service_pb2.DESCRIPTOR], ids=lambda f: f.name
)
def test_every_call_is_named(file: FileDescriptor):
    for service in file.services_by_name.values():
        assert f"`{service.full_name}`" in API
        for method in service.methods:
            assert f"`{method.name}" in API, method.name


def reasons(source: Path) -> Iterator[str]:
    """Yields the reason of every error that a module makes: it stands behind its status."""
    for node in ast.walk(ast.parse(source.read_text())):
        arguments = getattr(node, "args", None) or getattr(node, "elts", None)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "invalid":
            named = node.args[2] if len(node.args) > 2 else ast.Constant("INVALID_FIELD")
            yield from [named.value] if isinstance(named, ast.Constant) else []
        elif isinstance(arguments, list):
            for status, reason in itertools.pairwise(arguments):
                if ast.unparse(status).startswith("Status.") and isinstance(reason, ast.Constant):
                    yield reason.value


def test_every_reason_of_a_refused_call_is_named_and_no_other():
    folders = ("services/coordinator", "tuner/wire", "tuner/spec")
    sources = [source for folder in folders for source in (ROOT / folder).rglob("*.py")]
    raised = {reason for source in sources for reason in reasons(source)}
    # These end a coordinator at its start, or are the client's own; no call answers them.
    elsewhere = {
        "ADDRESS_IN_USE", "STATE_IN_USE", "BAD_SPEC_FILE", "TLS_UNUSABLE", "BACKUP_FAILED",
        "TOO_MANY_CALLS",
    }  # fmt: skip
    named = {r for row in rows(API, 3) for r in re.findall(r"`([A-Z_]{6,})`", row[1])}
    assert named == raised - elsewhere
