"""Job specs over the wire. Form is judged by `tuner.spec` on arrival."""

from __future__ import annotations

from typing import Any

from tuner.errors import invalid
from tuner.spec import Between, BlobFile, Code, Fixed, JobSpec, KeptModel, Range, Refit
from tuner.v1 import spec_pb2 as pb
from tuner.wire.catalog import learner_from_wire, learner_to_wire
from tuner.wire.values import setting_from_wire, setting_to_wire, value_from_wire, value_to_wire

DIRECTIONS = {
    "": pb.DIRECTION_UNSPECIFIED,
    "minimize": pb.DIRECTION_MINIMIZE,
    "maximize": pb.DIRECTION_MAXIMIZE,
}
_DIRECTION_NAMES = {number: name for name, number in DIRECTIONS.items()}


def direction_name(number: int) -> str:
    """Returns "minimize", "maximize" or, where unspecified or unknown, ""."""
    return _DIRECTION_NAMES.get(number, "")  # type: ignore[call-overload, no-any-return]


def _range_to_wire(name: str, entry: Range) -> pb.SpaceEntry:
    if isinstance(entry, Fixed):
        return pb.SpaceEntry(name=name, fixed=value_to_wire(entry.fixed))
    if isinstance(entry, Between):
        return pb.SpaceEntry(name=name, between=pb.NumberRange(low=entry.low, high=entry.high))
    values = [value_to_wire(v) for v in entry.choices]
    return pb.SpaceEntry(name=name, choices=pb.Choices(values=values))


def _range_from_wire(entry: pb.SpaceEntry, field: str) -> dict[str, Any]:
    kind = entry.WhichOneof("range")
    if kind == "fixed":
        return {"fixed": value_from_wire(entry.fixed, field)}
    if kind == "between":
        return {"low": entry.between.low, "high": entry.between.high}
    if kind == "choices":
        return {"choices": tuple(value_from_wire(v, field) for v in entry.choices.values)}
    raise invalid(field, "has no range; set fixed, between or choices")


def spec_to_wire(spec: JobSpec) -> pb.JobSpec:
    """Returns the spec as a message."""
    data = spec.dataset
    return pb.JobSpec(
        display_name=spec.name,
        namespace=spec.namespace,
        dataset=pb.DatasetSpec(
            source=data.source,
            path=data.path,
            files=[_file_to_wire(file) for file in data.files],
            options=data.options,
        ),
        split=pb.SplitSpec(
            test_fraction=spec.split.test_fraction,
            validation_fraction=spec.split.validation_fraction,
            train_fraction=spec.split.train_fraction,
            train_limit=spec.split.train_limit or 0,
            method=spec.split.method,
        ),
        protocol=spec.protocol,
        margin=spec.margin,
        alpha=spec.alpha,
        patience=spec.patience,
        metric=spec.metric,
        direction=DIRECTIONS[spec.direction],
        seed=spec.seed,
        searches=[
            pb.SearchSpec(
                key=search.key,
                learner=search.learner,
                axis=search.axis,
                levels=search.levels,
                space=[_range_to_wire(n, e) for n, e in sorted(search.space.items())],
                metric=search.metric,
                direction=DIRECTIONS[search.direction],
                entry=None if search.entry is None else learner_to_wire(search.entry),
                model=None if search.model is None else _model_to_wire(search.model),
                conditions=search.conditions,
            )
            for search in spec.searches
        ],
        tuning=pb.TuningSpec(**spec.tuning.model_dump()),
        measuring=pb.MeasuringSpec(**spec.measuring.model_dump()),
        resources=pb.ResourcesSpec(
            **spec.resources.model_dump(exclude={"slots"}), slots=spec.resources.slots or 0
        ),
        budget=pb.BudgetSpec(
            device_hours=spec.budget.device_hours or 0,
            wall_clock_hours=spec.budget.wall_clock_hours or 0,
            trials=spec.budget.trials or 0,
        ),
        robustness=pb.RobustnessSpec(**spec.robustness.model_dump()),
        limits=pb.LimitsSpec(**spec.limits.model_dump(exclude_none=True)),
        worth=None if spec.worth is None else pb.WorthSpec(**spec.worth.model_dump()),
        baseline=spec.baseline or "",
        task=spec.task,
        code=None if spec.code is None else _code_to_wire(spec.code),
        refit=None if spec.refit is None else _refit_to_wire(spec.refit),
        priority=spec.priority,
        notify=pb.NotifySpec(webhook=spec.notify.webhook or ""),
    )


def spec_from_wire(message: pb.JobSpec) -> JobSpec:
    """Returns the spec, judged. A field that isn't set takes the spec's default.

    Raises:
        TunerError: INVALID_ARGUMENT, with the path of every field at fault.
    """
    searches = [
        {
            "key": search.key,
            "learner": search.learner,
            "axis": search.axis,
            "levels": tuple(search.levels),
            "space": {
                entry.name: _range_from_wire(entry, f"searches[{i}].space.{entry.name}")
                for entry in search.space
            },
            "metric": search.metric,
            "direction": direction_name(search.direction),
            "entry": learner_from_wire(search.entry) if search.HasField("entry") else None,
            "model": _packed_from_wire(search.model) if search.HasField("model") else None,
            "conditions": tuple(search.conditions),
        }
        for i, search in enumerate(message.searches)
    ]
    data: dict[str, Any] = {
        "name": message.display_name,
        "dataset": {
            "source": message.dataset.source,
            "path": message.dataset.path,
            "files": tuple(_file_from_wire(f) for f in message.dataset.files),
            "options": dict(message.dataset.options),
        },
        "searches": searches,
        "metric": message.metric,
        "direction": direction_name(message.direction),
        "seed": message.seed,
        "baseline": message.baseline or None,
        "split": _set_fields(message.split),
        "tuning": _set_fields(message.tuning),
        "measuring": _set_fields(message.measuring),
        "robustness": _set_fields(message.robustness),
        "limits": _set_fields(message.limits),
        "budget": _set_fields(message.budget),
        "resources": _set_fields(message.resources),
        "priority": message.priority,
        "notify": _set_fields(message.notify),
    }
    if message.HasField("worth"):
        data["worth"] = _set_fields(message.worth)
    if message.HasField("resources"):
        data["resources"]["gpus"] = message.resources.gpus
    if message.HasField("code"):
        data["code"] = _packed_from_wire(message.code)
    if message.HasField("refit"):
        data["refit"] = _refit_from_wire(message.refit)
    for name in ("namespace", "task", "protocol", "margin", "alpha", "patience"):
        if value := getattr(message, name):
            data[name] = value
    return JobSpec.parse(data)


def _set_fields(message: Any) -> dict[str, Any]:
    """Returns the fields that differ from the wire's zero, which means "not set"."""
    return {
        field.name: tuple(value) if field.is_repeated else value
        for field, value in message.ListFields()
    }


def _file_to_wire(file: BlobFile) -> pb.BlobFile:
    return pb.BlobFile(name=file.name, sha256=file.sha256, size_bytes=file.size_bytes)


def _file_from_wire(file: pb.BlobFile) -> dict[str, Any]:
    return {"name": file.name, "sha256": file.sha256, "size_bytes": file.size_bytes}


def _code_to_wire(code: Code) -> pb.CodeSpec:
    archive = None if code.archive is None else _file_to_wire(code.archive)
    return pb.CodeSpec(folder=code.folder, archive=archive)


def _model_to_wire(model: KeptModel) -> pb.KeptModelSpec:
    archive = None if model.archive is None else _file_to_wire(model.archive)
    return pb.KeptModelSpec(folder=model.folder, archive=archive)


def _packed_from_wire(message: pb.CodeSpec | pb.KeptModelSpec) -> dict[str, Any]:
    archive = _file_from_wire(message.archive) if message.HasField("archive") else None
    return {"folder": message.folder, "archive": archive}


def _refit_to_wire(refit: Refit) -> pb.RefitSpec:
    return pb.RefitSpec(
        job=refit.job,
        search=refit.search,
        level=refit.level,
        hyperparameters=setting_to_wire(refit.setting),
        data_digest=refit.data_digest,
    )


def _refit_from_wire(message: pb.RefitSpec) -> dict[str, Any]:
    return {
        "job": message.job,
        "search": message.search,
        "level": message.level,
        "setting": setting_from_wire(message.hyperparameters),
        "data_digest": message.data_digest,
    }
