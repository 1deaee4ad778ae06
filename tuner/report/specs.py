"""A spec written out again, without what stands at its default."""

from __future__ import annotations

from typing import Any

import yaml

from tuner.catalog import SOURCES, metric_named
from tuner.report.naming import dataset_name
from tuner.spec import Dataset, JobSpec, Search


def spec_as_yaml(spec: JobSpec) -> str:
    """Returns the shortest YAML that gives the same spec, uploaded files by their names."""
    data = spec.model_dump(
        mode="json", exclude_defaults=True, exclude={"searches", "dataset", "code"}
    )
    written: dict[str, Any] = {"dataset": _dataset(spec.dataset), **data}
    written["margin"] = spec.margin
    written["seed"] = spec.seed
    if spec.code is not None:
        written["code"] = spec.code.folder
    written["searches"] = [_search(search) for search in spec.searches]
    # Inner lists and mappings on a line of their own, as people write them.
    return yaml.safe_dump(
        written, sort_keys=False, allow_unicode=True, width=90, default_flow_style=None
    )


def _dataset(dataset: Dataset) -> str | dict[str, Any]:
    """Returns the data set as text, or as a mapping where text wouldn't say its options."""
    known = SOURCES[dataset.source].options
    told = {k: v for k, v in dataset.options.items() if v != known[k].default}
    plain = not (dataset.files or "://" in dataset.path or "?" in dataset.path)
    if not told or (plain and not any("&" in value for value in told.values())):
        return dataset_name(dataset)
    source, _, path = dataset_name(dataset.model_copy(update={"options": {}})).partition(":")
    return {"source": source, "path": path, "options": told}


def _search(search: Search) -> dict[str, Any]:
    """Returns a search with what it was judged on said outright."""
    data = search.model_dump(mode="json", exclude={"direction", "entry", "key", "model", "space"})
    if metric_named(search.metric) is None:
        data["direction"] = search.direction  # nobody else knows
    if not search.conditions:
        del data["conditions"]
    short = search.learner.rpartition(":")[2]
    if search.key != (f"{short}/{search.axis}" if search.axis else short):
        data["key"] = search.key
    if search.model is not None:
        data["model"] = search.model.folder
    if not search.axis:
        del data["axis"], data["levels"]
    if search.space:
        data["space"] = {
            name: entry.model_dump(mode="json").get("fixed", entry.model_dump(mode="json"))
            for name, entry in search.space.items()
        }
    return data
