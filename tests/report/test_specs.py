"""What a report says of how to reproduce it gives the same spec."""

from __future__ import annotations

import pytest
import yaml

from tuner.report.specs import spec_as_yaml
from tuner.spec import JobSpec

FOREST = {"learner": "forest", "axis": "trees", "levels": [1, 2]}
UPLOADED = {"name": "d.csv", "sha256": "0" * 64, "size_bytes": 3}


@pytest.mark.parametrize(
    "dataset",
    [
        "digits",
        "xor?n=50",
        "csv:/data/d.csv?target=kind&missing=refuse",
        {"source": "csv", "path": "https://example.org/d.csv", "options": {"target": "kind"}},
        {"source": "csv", "path": "/data/d.csv", "options": {"target": "a&b"}},
    ],
)
def test_options_of_the_data_come_back(dataset: object) -> None:
    spec = JobSpec.parse({"dataset": dataset, "searches": [FOREST], "task": "classification"})
    assert JobSpec.parse(yaml.safe_load(spec_as_yaml(spec))).dataset == spec.dataset


def test_options_of_uploaded_data_are_told() -> None:
    data = {"source": "csv", "files": [UPLOADED], "options": {"target": "kind"}}
    written = yaml.safe_load(spec_as_yaml(JobSpec.parse({"dataset": data, "searches": [FOREST]})))
    assert written["dataset"] == {"source": "csv", "path": "d.csv", "options": {"target": "kind"}}


def test_a_metric_of_ones_own_keeps_its_direction() -> None:
    searches = [
        {**FOREST, "metric": "mine:cost", "direction": "maximize"},
        {**FOREST, "key": "other", "metric": "error"},
    ]
    spec = JobSpec.parse({"dataset": "digits", "searches": searches})
    again = JobSpec.parse(yaml.safe_load(spec_as_yaml(spec)))
    assert [s.direction for s in again.searches] == ["maximize", "minimize"]


def test_the_jobs_direction_is_that_of_its_metric() -> None:
    spec = JobSpec.parse(
        {
            "dataset": "digits",
            "metric": "mine:gain",
            "direction": "maximize",
            "searches": [FOREST, {**FOREST, "key": "other", "metric": "error"}],
        }
    )
    assert [s.direction for s in spec.searches] == ["maximize", "minimize"]
