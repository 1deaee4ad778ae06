"""The coordinator's process, over a cluster that is a folder: a file is a driver.

Its settings are the coordinator's own; SCRIPTED_CLUSTER names the folder. A driver's file
holds its job and its code, and whoever reads it is its runner.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from services.coordinator import __main__ as coordinator
from services.coordinator.gateway import (
    ClusterGateway,
    ClusterState,
    Driver,
    DriverState,
    Submission,
)
from services.coordinator.settings import Settings
from tuner.jobs import Node


class Folder:
    """A cluster in which every driver runs until its file tells how it ended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def submit(self, submission: Submission) -> None:
        file = self._path / submission.id
        if not file.exists():
            part = file.with_suffix(".part")
            part.write_text(json.dumps({"job": str(submission.job), "code": submission.code}))
            part.rename(file)

    async def state(self, submission_id: str) -> Driver | None:
        file = self._path / submission_id
        if not file.exists():
            return None
        return Driver(DriverState(json.loads(file.read_text()).get("state", "RUNNING")))

    async def stop(self, submission_id: str) -> None:
        file = self._path / submission_id
        if file.exists():
            file.write_text(json.dumps({**json.loads(file.read_text()), "state": "STOPPED"}))

    async def logs(self, submission_id: str) -> str | None:
        return "" if (self._path / submission_id).exists() else None

    async def tail(self, submission_id: str) -> AsyncIterator[str]:
        for _ in ():
            yield ""

    async def status(self) -> ClusterState:
        node = Node("n1", "10.0.0.1", 8, 2, alive=True)
        return ClusterState((node,), cpus=8, gpus=2, cpus_free=5, gpus_free=1)

    def close(self) -> None:
        pass


def _folder(_settings: Settings, _address: str) -> ClusterGateway:
    return Folder(Path(os.environ["SCRIPTED_CLUSTER"]))


if __name__ == "__main__":
    coordinator._ray = _folder
    sys.exit(coordinator.main())
