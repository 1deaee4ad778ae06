"""What a job brings of the user's own: code, and models to start from or to fit once more."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Mapping
from typing import Self

from pydantic import Field, model_validator

from tuner import catalog
from tuner.errors import Violation
from tuner.record import Setting
from tuner.spec.dataset import BlobFile
from tuner.spec.parts import Part
from tuner.spec.space import Fixed

KEPT = "kept"
"""`pretrained` where the network is that of a kept model."""


MOST_CODE_BYTES = 50 * 2**20
"""Largest archive of code: data has its own way."""

ENTRY_POINTS = "tuner.learners"
"""The group of entry points by which an installed package names its learners."""

Own = Callable[[str, str], catalog.Learner]
"""(learner as "module:Class", folder with the code) -> what it says of itself."""


def with_entries(data: object, own: Own) -> object:
    """Returns a spec's plain data in which the user's own learners are described.

    Args:
        data: The data, not judged yet: what isn't as it should be is left as it is.
        own: Says what a learner is. Raises TunerError where it can't.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("searches"), list | tuple):
        return data
    code = data.get("code")
    folder = code.get("folder", "") if isinstance(code, Mapping) else code or ""
    searches = []
    for search in data["searches"]:
        described = search
        if isinstance(search, Mapping) and not search.get("entry"):
            name = search.get("learner")
            name = _installed(name) if isinstance(name, str) else ""
            if is_own(name):
                described = {**search, "learner": name, "entry": own(name, str(folder))}
        searches.append(described)
    return {**data, "searches": searches}


def _installed(name: str) -> str:
    """Returns "module:Class" of a learner that an installed package names, else the name."""
    if name in catalog.LEARNERS:
        return name
    found = importlib.metadata.entry_points(group=ENTRY_POINTS, name=name)
    return next((point.value for point in found), name)


def is_own(name: str) -> bool:
    """Tells whether a learner or metric is the user's own, named as module:Class or function."""
    return _OWN.fullmatch(name) is not None


_OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Code(Part):
    """A folder with the modules that learners and metrics of one's own are in.

    Attributes:
        folder: The folder on the client's machine, which packs and uploads it.
        archive: The uploaded archive; filled in by the client.
    """

    folder: str = Field("", max_length=4096)
    archive: BlobFile | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"folder": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.folder and self.archive is None:
            raise ValueError("needs the folder that your modules are in; write code: FOLDER")
        if self.archive is not None and self.archive.size_bytes > MOST_CODE_BYTES:
            raise ValueError(
                f"the archive has {self.archive.size_bytes:,} bytes; at most {MOST_CODE_BYTES:,} "
                "are taken. Bring data as `dataset`"
            )
        return self


class KeptModel(Part):
    """A model that an earlier job chose, as `tuner export` wrote it, to start from.

    Attributes:
        folder: The folder on the client's machine, which packs and uploads it.
        archive: The uploaded archive; filled in by the client.
    """

    folder: str = Field("", max_length=4096)
    archive: BlobFile | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"folder": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.folder and self.archive is None:
            raise ValueError("needs the folder that `tuner export` wrote; write model: FOLDER")
        return self


def problem_with_model(
    learner: catalog.Learner, pretrained: Fixed | catalog.Hyperparameter | None, given: bool
) -> Violation | None:
    """Says what is wrong between a search's `model` and its `pretrained`, or None.

    Args:
        learner: The search's learner.
        pretrained: What its hyperparameter of that name may be; None where it has none.
        given: Whether a model is.
    """
    known = learner.hyperparameters.get("pretrained")
    if not isinstance(known, catalog.Choice) or KEPT not in known.values or pretrained is None:
        problem = f"{learner.name} starts from no kept model; deep_features does. Leave it out"
        return Violation("model", problem) if given else None
    values: tuple[catalog.Value, ...] = ()
    if isinstance(pretrained, Fixed):
        values = (pretrained.fixed,)
    elif isinstance(pretrained, catalog.Choice):
        values = pretrained.values
    if KEPT in values and not given:
        return Violation(
            "model",
            f"is missing: pretrained can be {KEPT!r}, which is the network of a kept model; write "
            "model: FOLDER, as `tuner export` wrote it, or let pretrained be another",
        )
    if given and KEPT not in values:
        problem = f"must be {KEPT!r}, or have it among its choices, for the model to be used"
        return Violation("space.pretrained", problem)
    return None


class Refit(Part):
    """A model that is fitted once more, on all training data, to be kept.

    Attributes:
        job: The job that chose it.
        search: The search in it.
        level: The level.
        setting: The other hyperparameters.
        data_digest: SHA-256 of the data's content then; "" where it isn't known. Other data
            is refused.
    """

    job: str = Field(min_length=1, max_length=300)
    search: str = Field(min_length=1, max_length=100)
    level: int = Field(ge=1)
    setting: Setting
    data_digest: str = Field("", pattern=r"^([0-9a-f]{64})?$")
