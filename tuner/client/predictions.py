"""What a job's measurements predicted of every test example, as arrays or as files.

Only arrays need numpy: a file is brought as it is stored.
"""

from __future__ import annotations

import csv
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.client.artifacts import artifacts, download
from tuner.client.transport import Transport
from tuner.errors import Status, TunerError
from tuner.installed import require
from tuner.jobs import Artifact
from tuner.record import Measurement, Phase
from tuner.wire.artifacts import TRUTH

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tuner.predictions import Truth

INDEX = "predictions.csv"
"""The name of the file that tells which measurement each array is of."""

_COLUMNS = ("file", "measurement", "phase", "level", "replicate")


@dataclass(frozen=True)
class Predictions:
    """What the measurements of a search predicted of the test.

    Attributes:
        truth: What the test examples are.
        rows: The measurements and what each predicted: shape (examples, classes),
            probabilities; of a regression (examples,), values. To float32's rounding.
    """

    truth: Truth
    rows: tuple[tuple[Measurement, npt.NDArray[np.float64]], ...]


def load(transport: Transport, job: str, measurements: Sequence[Measurement]) -> Predictions:
    """Returns the predictions of those of the measurements that have some.

    Raises:
        TunerError: FAILED_PRECONDITION where none has, or numpy isn't installed here.
    """
    require("arrays need", "pip install numpy, or save them to a folder", "numpy")
    from tuner.predictions import Truth, decode

    with tempfile.TemporaryDirectory(prefix="tuner-predictions-") as name:
        folder = Path(name)
        truth = Truth.from_bytes(_bring_truth(transport, job, measurements, folder).read_bytes())
        rows = [(m, decode(part)) for m, part in _parts(transport, job, measurements, folder)]
    return Predictions(truth, tuple(rows))


def save(
    transport: Transport, job: str, measurements: Sequence[Measurement], folder: Path
) -> list[Path]:
    """Writes the truth, a .npy a measurement, and an index of them into a folder, which is made.

    Returns:
        The files.

    Raises:
        TunerError: FAILED_PRECONDITION where no measurement has predictions.
        OSError: They can't be written there.
    """
    written = [_bring_truth(transport, job, measurements, folder)]
    lines = []
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as aside:
        for m, part in _parts(transport, job, measurements, Path(aside)):
            path = folder / f"{file_name(m)}.npy"
            path.write_bytes(zlib.decompress(part))
            written.append(path)
            lines.append((path.name, m.id, m.phase.value, m.level, m.replicate))
    with (folder / INDEX).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([_COLUMNS, *lines])
    return [*written, folder / INDEX]


def file_name(m: Measurement) -> str:
    """Returns what a measurement's array is called; several settings of a level stay apart."""
    kind = "runner-up-" if m.phase is Phase.RUNNER_UP else ""
    # Of the digits that an id begins with; what a server sends must not lead elsewhere.
    digits = re.sub(r"[^0-9A-Za-z]", "-", m.id[:8])
    return f"{kind}level-{m.level}-replicate-{m.replicate}-{digits}"


def _bring_truth(
    transport: Transport, job: str, measurements: Sequence[Measurement], folder: Path
) -> Path:
    if not any(m.predictions for m in measurements):
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "PREDICTIONS_MISSING",
            "no measurement has predictions: none was made yet, measuring.predictions is off, or "
            "the learner makes none",
        )
    for artifact in artifacts(transport, job):
        if artifact.name == TRUTH:
            download(transport, job, artifact, folder / TRUTH)
            return folder / TRUTH
    raise TunerError(Status.FAILED_PRECONDITION, "PREDICTIONS_MISSING", f"the job has no {TRUTH}")


def _parts(
    transport: Transport, job: str, measurements: Sequence[Measurement], folder: Path
) -> Iterator[tuple[Measurement, bytes]]:
    """Yields each measurement with its predictions as stored, file by file."""
    by_file: dict[str, list[Measurement]] = {}
    for m in measurements:
        if m.predictions is not None:
            by_file.setdefault(m.predictions.sha256, []).append(m)
    sizes = {a.sha256: a for a in artifacts(transport, job)}
    for digest, some in by_file.items():
        path = folder / "part"
        download(transport, job, sizes.get(digest, Artifact(digest, digest, 0)), path)
        with path.open("rb") as file:
            for m in some:
                assert m.predictions is not None
                file.seek(m.predictions.offset)
                yield m, file.read(m.predictions.size_bytes)
        path.unlink()
