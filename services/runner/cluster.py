"""The job's share of the Ray cluster: the broker's actor and Ray Tune's slots."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import ray
from ray import tune
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from services.runner import own_code
from services.runner.bearings import bearings
from services.runner.pulse import Halt
from tuner.datasets.base import Data
from tuner.learners.base import Learner
from tuner.spec import JobSpec
from tuner.trials.broker import PacketBroker
from tuner.trials.slots import SlotSearcher, SlotWorker
from tuner.trials.work import Report, SlotConfig, Task
from tuner.wire.names import JobName

_TUNE_ENVIRONMENT = {
    # Tune's own loggers and snapshots: the record is the truth.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # Signals are ours; a slot that is told to end in mid-packet gets two seconds.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "2",
}

LOAD_SECONDS = 1.0
"""Longest wait for the broker's load."""


class Broker:
    """The packet broker's actor, called from the runner's threads."""

    def __init__(self, label: str) -> None:
        """Starts the actor on this node."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"num_cpus": 0, "max_concurrency": 100_000, "scheduling_strategy": here}
        actor = ray.remote(PacketBroker).options(**options, name=f"tuner-broker-{label}")
        self.handle: Any = actor.remote()
        self._load = (0, 0)

    def offer(self, tasks: list[Task]) -> None:
        """Takes packets to hand out, in their order.

        It is waited for: calls that an asynchronous actor has at once may overtake each other.
        """
        ray.get(self.handle.offer.remote(tasks))

    def offer_surplus(self, tasks: list[Task]) -> None:
        """Takes packets that no step has asked for yet, for slots that would be idle."""
        self.handle.offer_surplus.remote(tasks)

    def withdraw(self, search: str) -> list[str]:
        """Takes back a search's surplus that no slot has; returns its packets' ids."""
        gone: list[str] = ray.get(self.handle.withdraw.remote(search))
        return gone

    def idle(self) -> int:
        """Returns how many slots have nothing to do and nothing to come."""
        idle: int = ray.get(self.handle.idle.remote())
        return idle

    def retry(self, task: Task) -> None:
        """Puts a lost packet at the front, as its next try."""
        self.handle.retry.remote(task)

    def collect(self, patience: float) -> list[Report]:
        """Returns the reports since the last call, waiting for one so many seconds."""
        reports: list[Report] = ray.get(self.handle.collect.remote(patience))
        return reports

    def lost(self, worker: str) -> None:
        """Notes that a worker is gone."""
        self.handle.lost.remote(worker, "the slot's worker died")

    def load(self) -> tuple[int, int]:
        """Returns how many workers are busy, and how many packets wait.

        As last known where the broker is slow to say: the heartbeat asks, and must not wait
        for an actor that is still being started.
        """
        asked = self.handle.load.remote()
        if ray.wait([asked], timeout=LOAD_SECONDS)[0]:
            self._load = ray.get(asked)
        return self._load

    def close(self) -> None:
        """Ends every slot that asks for more."""
        ray.get(self.handle.close.remote())

    def kill_workers(self) -> None:
        """Ends every slot now, in mid-packet too. Ray Tune would wait for them up to 10 s."""
        for actor in ray.get(self.handle.workers.remote()):
            ray.kill(actor)

    def kill_busy_workers(self) -> None:
        """Ends the slots that have a packet, in the middle of it."""
        for actor in ray.get(self.handle.busy_workers.remote()):
            ray.kill(actor)


class _StopWhen(tune.Stopper):
    """Ends Ray Tune's run when a flag is raised."""

    def __init__(self, halt: Halt) -> None:
        self._halt = halt

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._halt.event.is_set()

    def __getstate__(self) -> dict[str, Any]:
        # Ray Tune pickles its definition for a restore that we don't use.
        return {}


def slots_that_fit(spec: JobSpec, limit: int) -> int:
    """Returns how many slots the job may hold now: as many as fit, within its limits.

    Args:
        spec: The job's spec.
        limit: What the coordinator allows; 0 is as many as fit.

    Returns:
        The slots; 0 where the cluster has no room for any, even when idle.
    """
    wanted = spec.resources
    fit = 0
    for node in ray.nodes():
        has = node["Resources"] if node["Alive"] else {}
        slots = has.get("CPU", 0) / wanted.cpus
        if wanted.gpus:
            slots = min(slots, has.get("GPU", 0) / wanted.gpus)
        fit += int(slots)
    limits = [n for n in (limit, wanted.slots or 0) if n]
    return min([fit, *limits])


def node_alive(node: str) -> bool:
    """Tells whether a node is still part of the cluster."""
    return any(n["NodeID"] == node and n["Alive"] for n in ray.nodes())


def run_slots(
    spec: JobSpec,
    job: str,
    data: Data,
    broker: Broker,
    searcher: SlotSearcher,
    halt: Halt,
    learners: Mapping[str, Learner] | None = None,
) -> None:
    """Runs Ray Tune until the broker is closed or the flag is raised.

    Args:
        spec: The job's spec.
        job: Its resource name.
        data: Its data; put into the object store once.
        broker: Where slots get their packets.
        searcher: Supplies the slots.
        halt: Ends the run early.
        learners: By search, those that start from a kept model; put there once, too.
    """
    os.environ.update(_TUNE_ENVIRONMENT)
    # At the end it misses the results that its own loggers, which are off, would have written.
    logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(logging.ERROR)
    wanted = spec.resources
    label = JobName.parse(job).job
    slot = SlotConfig(
        job=job,
        label=label,
        seed=spec.seed,
        cpus=wanted.cpus,
        gpus=wanted.gpus,
        threads=wanted.threads,
        packet_timeout_seconds=wanted.packet_timeout_seconds,
        predictions=spec.measuring.predictions,
        metrics=own_code.metrics(spec),
        bearings=bearings(spec),
    )
    trainable = tune.with_resources(
        tune.with_parameters(
            SlotWorker,
            broker=broker.handle,
            data=data,
            split=spec.split,
            slot=slot,
            learners=learners or {},
        ),
        {"cpu": wanted.cpus, "gpu": wanted.gpus},
    )
    with tempfile.TemporaryDirectory(prefix="tuner-tune-") as folder:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(search_alg=searcher, num_samples=-1, reuse_actors=False),
            run_config=tune.RunConfig(
                name=label,
                storage_path=folder,
                verbose=0,
                stop=_StopWhen(halt),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        ).fit()
