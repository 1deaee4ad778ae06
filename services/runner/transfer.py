"""Kept models that searches start from: fetched and judged before anything is planned."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuner import catalog
from tuner.datasets import registry as sources
from tuner.datasets.base import Data
from tuner.datasets.folder import unpack
from tuner.learners import registry, saved
from tuner.learners.base import Learner, Transferring
from tuner.spec import Fixed, JobSpec, Search


@dataclass(frozen=True)
class Kept:
    """What searches start from.

    Attributes:
        learners: By search, its learner with the model.
        refusals: By search, why there is none.
        trained_on: By search, the SHA-256 of every data set that went into its model.
    """

    learners: Mapping[str, Learner] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)
    trained_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def load(spec: JobSpec, data: Data, fetch: Callable[[str], bytes]) -> Kept:
    """Loads and judges the models that the searches start from.

    Args:
        spec: The job's spec.
        data: Its data.
        fetch: Returns an uploaded file by its SHA-256.

    Raises:
        TunerError: A file can't be fetched.
    """
    learners: dict[str, Learner] = {}
    refusals: dict[str, str] = {}
    trained_on: dict[str, tuple[str, ...]] = {}
    for search in spec.searches:
        if search.model is None or search.model.archive is None:
            continue
        content = fetch(search.model.archive.sha256)
        try:
            learner, known = _loaded(search, content)
            _refuse(search, learner, known, data)
        except ValueError as error:
            name = search.model.folder or search.model.archive.sha256[:12]
            refusals[search.key] = f"{search.learner} can't start from the model {name}: {error}"
        else:
            learners[search.key], trained_on[search.key] = learner, known
    return Kept(learners, refusals, trained_on)


def _loaded(search: Search, content: bytes) -> tuple[Transferring, tuple[str, ...]]:
    """Returns the learner with its model, and what the model was trained on."""
    with tempfile.TemporaryDirectory(prefix="tuner-model-") as name:
        folder = Path(name) / "model"
        unpack(content, folder, "model")
        try:
            model = saved.load(folder)
            about = json.loads((folder / saved.ABOUT).read_text(encoding="utf-8"))
        except Exception as error:
            # Whatever a damaged file raises, it is the file that is at fault.
            said = str(error).replace(f"{folder}/", "").replace(str(folder), "the folder")
            raise ValueError(said or type(error).__name__) from error
    learner = registry.get(search.learner)
    if not isinstance(learner, Transferring):
        raise ValueError(  # noqa: TRY004 - what a search says of it, like all else here
            "it starts from no kept model: it has no with_model"
        )
    return learner.with_model(model), _trained_on(about)


def _trained_on(about: Mapping[str, object]) -> tuple[str, ...]:
    """Returns the SHA-256 of every data set that went into a model."""
    known = about.get(saved.TRAINED_ON)
    if not isinstance(known, list) or not known or not all(isinstance(d, str) for d in known):
        raise ValueError(
            f"{saved.ABOUT} doesn't say what data it was trained on ({saved.TRAINED_ON}), so it "
            "might know the test; export it again"
        )
    setting = about.get("hyperparameters")
    source = setting.get("pretrained") if isinstance(setting, Mapping) else None
    if (
        isinstance(source, str)
        and source in catalog.SOURCES
        and catalog.SOURCES[source].path == "none"
    ):
        return (*known, sources.load(source).digest)
    return tuple(known)


def _refuse(search: Search, learner: Transferring, known: tuple[str, ...], data: Data) -> None:
    """Raises ValueError where the model is none for this job."""
    if data.digest in known:
        raise ValueError(
            "it was trained on this job's own data, so it would know the test; give a model of "
            "other data"
        )
    if problem := learner.problem_with_levels(_levels(search)):
        raise ValueError(problem)
    if problem := learner.problem_with(data.x, len(data.classes)):
        raise ValueError(problem)


def _levels(search: Search) -> dict[str, tuple[int, ...]]:
    """Returns, by capacity, the levels that a search may ask for."""
    found: dict[str, tuple[int, ...]] = {}
    ranges = search.ranges()
    for axis in search.known.capacities:
        known = ranges.get(axis.name)
        if axis.name == search.axis:
            found[axis.name] = search.levels
        elif isinstance(known, Fixed):
            found[axis.name] = (int(known.fixed),)
        elif isinstance(known, catalog.Choice):
            found[axis.name] = tuple(map(int, known.values))
        elif known is not None:
            found[axis.name] = tuple(range(int(known.low), int(known.high) + 1))
    return found
