"""Counting what namespaces hold: slots' devices, or cores where they have none, by time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from services.coordinator.scheduling.model import Job
from services.coordinator.store.base import Store

WRITE_SECONDS = 10.0
"""How often use is written."""

LONGEST_STEP_SECONDS = 60.0
"""A longer time between two looks is not charged: nobody saw what was held meanwhile."""


class Meter:
    """Adds up what is held between looks. What isn't written yet is lost with the leader."""

    def __init__(self, store: Store) -> None:
        """Has counted nothing yet."""
        self._store = store
        self._looked: float | None = None
        self._written = time.monotonic()
        self._device_seconds: dict[str, float] = {}

    def look(self, jobs: Iterable[Job]) -> None:
        """Charges for the time since the last look what is held now."""
        now = time.monotonic()
        passed = 0.0 if self._looked is None else min(now - self._looked, LONGEST_STEP_SECONDS)
        self._looked = now
        for job in jobs:
            if slots := job.slots_held:
                used = slots * job.shape.devices * passed
                before = self._device_seconds.get(job.namespace, 0.0)
                self._device_seconds[job.namespace] = before + used

    async def write(self) -> None:
        """Writes what has been counted, every so often. Raises UnavailableError, DeposedError."""
        now = time.monotonic()
        if not self._device_seconds or now - self._written < WRITE_SECONDS:
            return
        await asyncio.to_thread(self._store.add_usage, self._device_seconds)
        self._device_seconds, self._written = {}, now
