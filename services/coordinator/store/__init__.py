"""The coordinator's store: `base` is the contract, `open_store` opens the one over SQL."""

from services.coordinator.store.sql import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
