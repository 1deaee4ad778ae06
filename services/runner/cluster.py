"""The job's share of the Ray cluster: Ray Tune's slots, and the nodes that they may be on."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Mapping
from textwrap import shorten
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from services.runner import own_code
from services.runner.bearings import bearings
from services.runner.broker import Broker
from tuner.datasets.base import Data
from tuner.learners.base import Learner
from tuner.spec import JobSpec
from tuner.trials.slots import SlotScheduler, SlotSearcher, SlotWorker, resources
from tuner.trials.work import Allowed, Loss, SlotConfig
from tuner.wire.names import JobName

_TUNE_ENVIRONMENT = {
    # Tune's own loggers and snapshots: the record is the truth.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # Signals are ours; a slot that is told to end in mid-packet gets two seconds.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "2",
}

ERROR_CHARACTERS = 500
"""Most of what Ray says of a lost worker that is recorded."""

STALL_GRACE_SECONDS, STALL_GRACE_SHARE = 30.0, 0.25
"""How much longer than a packet's time its worker is waited for: so long, and such a share."""


class _Obituaries(tune.Callback):
    """Tells the broker of slots whose worker died, and how."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        error = trial.get_pickled_error() or trial.get_error()
        self._broker.lost(trial.trial_id, *how_lost(error))

    def __getstate__(self) -> dict[str, Any]:
        # Ray Tune pickles its definition for a restore that we don't use.
        return {}


def how_lost(error: object) -> tuple[str, Loss]:
    """Returns in a line, and in a word, how a worker was lost, given what Ray says of it."""
    first = next((line.strip() for line in str(error or "").splitlines() if line.strip()), "")
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        said = "its node had too little memory, and Ray ended the slot's worker"
        return shorten(f"{said}: {first}", ERROR_CHARACTERS), Loss.MEMORY
    said = "the slot's worker died"
    if isinstance(error, ray.exceptions.RayTaskError):
        said, first = "the slot broke", str(error.cause)
    return shorten(f"{said}: {first}".removesuffix(": "), ERROR_CHARACTERS), Loss.DIED


class _StopWhen(tune.Stopper):
    """Ends Ray Tune's run when a flag is raised."""

    def __init__(self, over: threading.Event) -> None:
        self._over = over

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._over.is_set()

    def __getstate__(self) -> dict[str, Any]:
        # Ray Tune pickles its definition for a restore that we don't use.
        return {}


def capacity(spec: JobSpec) -> dict[str, int]:
    """Returns, by living node, how many of the job's slots would fit there were it idle."""
    wanted = spec.resources
    found = {}
    for node in ray.nodes():
        has = node["Resources"] if node["Alive"] else {}
        slots = has.get("CPU", 0) / wanted.cpus
        if wanted.gpus:
            slots = min(slots, has.get("GPU", 0) / wanted.gpus)
        if node["Alive"]:
            found[node["NodeID"]] = int(slots)
    return found


def allowed(spec: JobSpec) -> dict[str, Allowed]:
    """Returns, by search, how long a packet may take before its worker is given up.

    Learners end by themselves when their time is over; whoever still hasn't reported after
    a grace hangs. Conditions have their own time: a packet's once for every spoilt training
    set, and for every member once for its model and once for what that bears.
    """
    limit = spec.resources.packet_timeout_seconds
    grace = STALL_GRACE_SECONDS + STALL_GRACE_SHARE * limit
    bearing = bearings(spec)
    found = {}
    for search in spec.all_searches():
        conditions = len(bearing[search.key].measured) if search.key in bearing else 0
        member = 2 * limit if search.key in bearing else 0.0
        found[search.key] = Allowed(limit * (1 + conditions) + grace, member)
    return found


def node_alive(node: str) -> bool:
    """Tells whether a node is still part of the cluster."""
    return any(n["NodeID"] == node and n["Alive"] for n in ray.nodes())


def run_slots(
    spec: JobSpec,
    job: str,
    data: Data,
    broker: Broker,
    searcher: SlotSearcher,
    over: threading.Event,
    learners: Mapping[str, Learner] | None = None,
) -> None:
    """Runs Ray Tune until the flag is raised.

    Args:
        spec: The job's spec.
        job: Its resource name.
        data: Its data; put into the object store once.
        broker: Where slots get their packets; told of those that end with an error.
        searcher: Supplies the slots.
        over: The flag.
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
        resources(wanted.cpus, wanted.gpus),
    )
    with tempfile.TemporaryDirectory(prefix="tuner-tune-") as folder:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=SlotScheduler(searcher),
                num_samples=-1,
                reuse_actors=False,
            ),
            run_config=tune.RunConfig(
                name=label,
                storage_path=folder,
                verbose=0,
                stop=_StopWhen(over),
                callbacks=[_Obituaries(broker)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        ).fit()
