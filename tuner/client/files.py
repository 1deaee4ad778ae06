"""The part of a job's handle that is about the files that the job has made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from tuner.client import artifacts, predictions
from tuner.client.predictions import Predictions
from tuner.client.transport import Transport
from tuner.jobs import Artifact
from tuner.record import Measurement


class JobFiles(ABC):
    """Files of one job. `tuner.client.Job` is one."""

    _transport: Transport

    @property
    @abstractmethod
    def name(self) -> str:
        """The resource name, "namespaces/{namespace}/jobs/{job}"."""

    @abstractmethod
    def measurements(self, search: str = "") -> list[Measurement]:
        """Returns every measurement in the order of recording, of one search or of all."""

    def artifacts(self) -> list[Artifact]:
        """Returns the files that the job has made, by name."""
        return artifacts.artifacts(self._transport, self.name)

    def download(self, artifact: Artifact, path: str | Path) -> None:
        """Brings one of the job's files here; nothing half-written is ever at its path.

        Raises:
            TunerError: NOT_FOUND where the job has no such file.
            OSError: It can't be written there.
        """
        artifacts.download(self._transport, self.name, artifact, Path(path))

    def predictions(self, search: str) -> Predictions:
        """Returns what the measurements of a search predicted of the test, as arrays.

        Raises:
            TunerError: INVALID_ARGUMENT where there is no such search;
                FAILED_PRECONDITION where none were kept, or numpy isn't installed.
        """
        return predictions.load(self._transport, self.name, self.measurements(search))

    def save_predictions(self, search: str, folder: str | Path) -> list[Path]:
        """Writes what the measurements of a search predicted into a folder, as NumPy's files.

        Returns:
            The files: "truth.npz", an .npy a measurement, and "predictions.csv", which
            tells which is which.

        Raises:
            TunerError: As `predictions`, but that numpy isn't needed.
            OSError: They can't be written there.
        """
        rows = self.measurements(search)
        return predictions.save(self._transport, self.name, rows, Path(folder))
