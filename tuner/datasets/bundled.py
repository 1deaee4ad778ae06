"""scikit-learn's small tables: they come with the library, so nothing is read or fetched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from tuner.datasets.base import Data, Request
from tuner.datasets.content import Beside, make_data


class Bundled:
    """A table of scikit-learn's; its classes have their names, and no test is its own."""

    name: ClassVar[str]
    bunch: ClassVar[Callable[[], Any]]

    def load(self, request: Request) -> Data:
        """Returns the table."""
        bunch = type(self).bunch()
        labels = np.asarray(bunch.target_names)[np.asarray(bunch.target)].astype(str)
        beside = Beside(features=tuple(map(str, bunch.feature_names)))
        return make_data(np.asarray(bunch.data), labels, None, None, self.name, beside=beside)


class BreastCancer(Bundled):
    """569 tumours with 30 measures each, benign or malignant."""

    name = "breast_cancer"
    bunch = staticmethod(load_breast_cancer)


class Wine(Bundled):
    """178 wines of three growers with 13 measures each."""

    name = "wine"
    bunch = staticmethod(load_wine)


class Iris(Bundled):
    """150 irises of three species with 4 measures each."""

    name = "iris"
    bunch = staticmethod(load_iris)
