"""What every part of the coordinator works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.coordinator.artifacts import Artifacts
from services.coordinator.database_health import DatabaseHealth
from services.coordinator.gateway import ClusterGateway
from services.coordinator.hints import Hints
from services.coordinator.settings import Settings
from services.coordinator.store.base import Store


@dataclass(frozen=True)
class Core:
    """The coordinator's parts that others are built on.

    Attributes:
        settings: What the operator set.
        store: The record. Its calls block; run them in threads.
        artifacts: Uploaded files and logs. Its calls block too.
        gateway: The cluster.
        hints: Wakes those who wait for news.
        database: Whether the store's database can be used.
    """

    settings: Settings
    store: Store
    artifacts: Artifacts
    gateway: ClusterGateway
    hints: Hints
    database: DatabaseHealth = field(default_factory=DatabaseHealth)
