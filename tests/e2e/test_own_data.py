"""Data of one's own goes from files on this machine to measurements, or is refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.client import Job
from tuner.record import Measurement, Outcome


def herd(file: Path) -> Path:
    """Writes 160 rows of 40 owners: numbers with missing cells, text, and what to predict."""
    rng = np.random.default_rng(0)
    lines = ["owner,weight,colour,price,kind"]
    for row in range(160):
        weight = rng.normal()
        cell = "" if row % 9 == 0 else f"{weight:.3f}"
        colour = ("red", "blue", "")[row % 3]
        lines.append(f"o{row // 4},{cell},{colour},{10 * weight + row % 3:.3f},{'xy'[row % 2]}")
    file.write_text("\n".join(lines) + "\n")
    return file


def pictures(folder: Path) -> Path:
    """Writes 80 pictures of two classes, dark and bright, of two sizes."""
    rng = np.random.default_rng(0)
    for number in range(80):
        kind, side = ("dark", "bright")[number % 2], (8, 10)[number % 5 == 0]
        (folder / kind).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, (side, side)) + 120 * (kind == "bright")
        Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{number}.png")
    return folder


def job(**changes: object) -> dict[str, object]:
    return {
        "margin": 0.2,
        "searches": [{"learner": "forest", "axis": "trees", "levels": [2, 4]}],
        "tuning": {"trials": 1},
        "measuring": {"min_replicates": 2, "max_replicates": 2},
        "baseline": None,
    } | changes


def test_a_table_is_measured_and_a_wrong_column_is_refused(client, tmp_path: Path):
    file = herd(tmp_path / "herd.csv")
    options = {"target": "price", "group": "owner", "drop": "kind"}
    numbers = {"source": "csv", "path": str(file), "options": options}
    running = client.submit(job(dataset=numbers, task="regression", margin=2.0))
    wrong = client.submit(job(dataset=f"csv:{file}?target=knid&group=owner"))
    assert all(row.scores["r2"] > 0.5 for row in completed(running))
    assert wrong.wait() == "FAILED"
    assert not list(wrong.measurements())
    assert "did you mean 'kind'?" in wrong.status.reason


@pytest.mark.slow
def test_pictures_are_measured(client, tmp_path: Path):
    folder = pictures(tmp_path / "pictures")
    running = client.submit(job(dataset=f"images:{folder}?size=8"))
    assert all(row.scores["error"] < 0.2 for row in completed(running))


def completed(running: Job) -> list[Measurement]:
    """Waits for a job's end and returns what it measured: something, and nothing failed."""
    running.result()
    measured = list(running.measurements())
    assert measured
    assert {row.outcome for row in measured} == {Outcome.COMPLETED}
    return measured
