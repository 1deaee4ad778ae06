"""Features made by hand, HOG and visual words, into a support vector machine or a forest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self, cast

import numpy as np

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners import arrays
from tuner.learners.base import Device
from tuner.learners.features.gradients import Floats32
from tuner.learners.features.heads import Head, fit_head
from tuner.learners.features.hog import hog
from tuner.learners.features.words import count_words, learn_codebook
from tuner.learners.models import ModelLearner
from tuner.learners.threads import limited
from tuner.record import seed_of
from tuner.scoring import Predictions

SMALLEST = 4
"""Fewest pixels a side: one local descriptor."""

_FILE = "codebook.safetensors"

_AXES = {"codebook": 2, "spread": 0, "with_hog": 0, "pyramid": 0, "sides": 1}


class BagOfFeatures(ModelLearner):
    """Counts visual words, beside the whole image's HOG if asked to, and classifies them.

    The codebook and the scale of the pixels come from the training part alone.
    """

    name = "bag_of_features"

    def problem_with(self, x: Features, classes: int) -> str | None:
        """Says that tables have no gradients, and tiny images no room for a descriptor."""
        if x.ndim != 4:
            return (
                "bag_of_features needs images, shape (n, channels, height, width) or (n, height, "
                f"width); this is a table of shape {x.shape}. Use forest or svm for it"
            )
        if min(x.shape[2:]) < SMALLEST:
            return (
                f"bag_of_features needs images of {SMALLEST} by {SMALLEST} pixels or more; these "
                f"are {x.shape[2]} by {x.shape[3]}. Use forest or svm for them"
            )
        return None

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> BagModel:
        """Learns a codebook and fits a classifier on what it makes of the images."""
        with limited(device.threads):
            spread = np.float32(fold.x.std(dtype=np.float64)) or np.float32(1)
            seed = seed_of(fold.seed, "codebook")
            codebook = learn_codebook(fold.x / spread, int(setting["words"]), seed, device)
            maker = Maker(codebook, spread, setting["features"] == "both", bool(setting["pyramid"]))
            features = maker(fold.x)
            head = fit_head(setting, features, fold.y, fold.classes, fold.seed, device)
        return BagModel(maker, head, (fold.x.shape[2], fold.x.shape[3]))


@dataclass(frozen=True)
class Maker:
    """Makes features of images.

    Attributes:
        codebook: Shape (words, values): the visual words.
        spread: The training part's standard deviation over all pixels.
        with_hog: Whether HOG stands beside the words.
        pyramid: Whether words are counted in quarters of the image too.
    """

    codebook: Floats32
    spread: np.float32
    with_hog: bool
    pyramid: bool

    def __call__(self, x: Features) -> Floats32:
        """Returns features, shape (examples, values)."""
        x = x / self.spread
        words = count_words(x, self.codebook, pyramid=self.pyramid)
        return np.hstack([hog(x), words]) if self.with_hog else words


@dataclass(frozen=True)
class BagModel:
    """A fitted bag of features.

    Attributes:
        maker: What makes the features.
        head: What classifies them.
        sides: The images' height and width.
    """

    kind: ClassVar[str] = "bag_of_features"

    maker: Maker
    head: Head
    sides: tuple[int, int]

    @property
    def parameters(self) -> int:
        """The classifier's, and the numbers in the codebook."""
        return self.head.parameters + self.maker.codebook.size

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes)."""
        return self.head.predict(self.maker(x))

    def save(self, folder: Path) -> None:
        """Writes the codebook as safetensors and the classifier by skops."""
        maker = self.maker
        parts = {
            "codebook": maker.codebook,
            "spread": np.array(maker.spread),
            "with_hog": np.array(maker.with_hog),
            "pyramid": np.array(maker.pyramid),
            "sides": np.array(self.sides),
        }
        arrays.write(folder / _FILE, parts)
        self.head.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there."""
        found = arrays.read(folder / _FILE, _AXES)
        height, width = (int(side) for side in found["sides"])
        maker = Maker(
            cast(Floats32, found["codebook"]),
            np.float32(found["spread"]),
            bool(found["with_hog"]),
            bool(found["pyramid"]),
        )
        values = maker(np.zeros((1, 1, height, width), dtype=np.float32)).shape[1]
        return cls(maker, Head.load(folder, values), (height, width))
