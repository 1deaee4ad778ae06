"""Why a job waits, and why its share is what it is, in sentences that stay while things do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from services.coordinator.scheduling.filling import Claim
from services.coordinator.scheduling.model import Job, Shape, World
from services.coordinator.scheduling.reservations import Reservations


class Reasons:
    """Tells people of one decision."""

    def __init__(
        self,
        world: World,
        claims: Mapping[str, Claim],
        nodes: Mapping[str, Shape],
        fits: Mapping[Shape, int],
        reservations: Reservations,
    ) -> None:
        """Takes claims after what was wanted has been handed out, and how many of a shape fit."""
        self._world = world
        self._claims = dict(claims)
        self._got = {name: claim.got for name, claim in claims.items()}
        self._why = {name: claim.why for name, claim in claims.items()}
        self._nodes = nodes
        self._fits = fits
        self._reservations = reservations
        # Asked for by every job that waits, of which there may be thousands.
        self._running = sum(job.admitted or job.leaving for job in world.jobs)
        self._highest = max((c.first for c in claims.values() if c.got), default=-math.inf)

    def waits(self, job: Job) -> str:
        """Returns what a job in the queue waits for."""
        if job.leaving:
            return "made way for others, and is being put away"
        claim = self._claims.get(job.name)
        if claim is None:
            return self._never(job)
        kept = self._reservations.of(job.name)
        if kept is not None:
            since = datetime.fromtimestamp(kept.since, UTC)
            return f"node {kept.node} is kept for it since {since:%H:%M} UTC, until it has room"
        if self._got[job.name]:
            return "waits until a job that makes way for it is gone"
        why = self._why[job.name]
        if claim.own_fault:
            return f"waits: {why}"
        if why == "no room":
            if self._reservations.blocked_since(job.name) is not None:
                return f"waits for a node with room for a slot of {job.shape}"
            if self._highest > claim.first:
                return "waits for a free slot: jobs of a higher priority come first"
            return "waits for a free slot"
        return f"waits for one of {self._running} running jobs to end: no more may run at once"

    def runs(self, job: Job, share: int | None, shares: Mapping[str, int | None]) -> str:
        """Returns why a job that runs has its share."""
        claim = self._claims.get(job.name)
        if claim is None and not job.leaving:
            return self._never(job)
        if share == 0 or claim is None:
            return self._makes_way(job) if share == 0 else "is on its way out"
        text = f"share {share} of {self._fits[job.shape]}"
        if job.limit is not None and share == job.limit:
            return f"{text}: it wants no more than {job.limit}"
        quota = self._world.account(job.namespace).quota.max_slots
        own = sum((shares.get(j.name) or 0) for j in self._of(job.namespace))
        if quota is not None and own >= quota:
            return f"{text}: {job.namespace} has {own} of its {quota} slots"
        others = self._others(job, shares)
        return f"{text}: {others}" if others else text

    def _of(self, namespace: str) -> list[Job]:
        return [job for job in self._world.jobs if job.namespace == namespace]

    def _others(self, job: Job, shares: Mapping[str, int | None]) -> str:
        """Returns who has the rest."""
        by_namespace: dict[str, int] = {}
        for other in self._world.jobs:
            if other.name != job.name and (slots := shares.get(other.name)):
                by_namespace[other.namespace] = by_namespace.get(other.namespace, 0) + slots
        parts = []
        if own := by_namespace.pop(job.namespace, 0):
            parts.append(f"{own} go to other jobs of {job.namespace}")
        # Their names are nobody else's business.
        if others := sum(by_namespace.values()):
            weight = sum(self._world.account(name).quota.weight for name in by_namespace)
            one = len(by_namespace) == 1
            who = "another namespace" if one else f"{len(by_namespace)} other namespaces"
            parts.append(f"{others} go to {who} with weight {weight:g}{'' if one else ' in all'}")
        return "; ".join(parts)

    def _makes_way(self, job: Job) -> str:
        if self._world.account(job.namespace).spent:
            return self._never(job)
        claim = self._claims.get(job.name)
        if claim is not None and claim.own_fault:
            return f"makes way: {self._why[job.name]}"
        return "makes way for others, and goes back to the queue"

    def _never(self, job: Job) -> str:
        account = self._world.account(job.namespace)
        if account.spent:
            most = account.quota.max_device_hours
            return (
                f"{job.namespace} has used its {most:g} device-hours of 30 days; it goes on when "
                "some of them are past, or there are more"
            )
        if not self._nodes:
            return "waits for a node: the cluster has none that lives"
        largest = max(self._nodes.values(), key=lambda has: (has.cpus, has.gpus))
        if job.shape.gpus > max(has.gpus for has in self._nodes.values()):
            largest = max(self._nodes.values(), key=lambda has: has.gpus)
            return (
                f"needs {Shape(0.0, job.shape.gpus)} on one node; the largest has "
                f"{Shape(0.0, largest.gpus)}"
            )
        return f"needs {job.shape} on one node; the largest has {largest}"
