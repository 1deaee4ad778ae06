"""Slot workers: Ray Tune trials that live as long as their share and pull packets.

A trial per candidate would pay Ray Tune's start and end each time (33 ms at
best, design.md); a slot pays it once and then takes packets at the price of an
actor call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import PlacementGroupFactory
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from tuner.datasets.base import Data
from tuner.datasets.splits import Splits
from tuner.learners.base import Learner
from tuner.spec import Split
from tuner.trials.devices import Accelerator
from tuner.trials.execute import execute
from tuner.trials.work import Report, SlotConfig, Task

STEP_SECONDS = 2.0
"""A step of a slot lasts about this long: Ray Tune handles results at steps only."""


_NODE_LABEL = "ray.io/node-id"


class SlotWorker(tune.Trainable):
    """One slot. Each step pulls packets from the broker until it is time to report.

    Arguments that `tune.with_parameters` hands to `setup`: `broker`, the
    handle of the packet broker; `data`, the data set; `split`, how it is
    divided; `slot`, what the slot may use; `learners`, by search, those that
    start from a kept model.
    """

    def setup(
        self,
        config: dict[str, Any],
        broker: Any = None,
        data: Data | None = None,
        split: Split | None = None,
        slot: SlotConfig | None = None,
        learners: Mapping[str, Learner] | None = None,
    ) -> None:
        """Prepares the slot once."""
        assert data is not None
        assert split is not None
        assert slot is not None
        self._broker = broker
        self._slot = slot
        self._learners = learners or {}
        self._splits = Splits(data, split, slot.seed)
        self._device = Accelerator.of_this_worker(slot.gpus)
        self._node = ray.get_runtime_context().get_node_id()
        self._joined = False
        self._packets = 0

    def step(self) -> dict[str, Any]:
        """Pulls and runs packets for a while."""
        if not self._joined:
            # Not before: a slot that Ray Tune takes back before its first step never was one.
            actor = ray.get_runtime_context().current_actor
            ray.get(self._broker.join.remote(self.trial_id, actor, self._node))
            self._joined = True
        until = time.monotonic() + STEP_SECONDS
        reports: list[Report] = []
        while (left := until - time.monotonic()) > 0:
            tasks = ray.get(self._broker.take.remote(self.trial_id, self._node, reports, left))
            reports = [self._run(task) for task in tasks]
            if not reports:
                done = ray.get(self._broker.dismissed.remote(self.trial_id))
                return {"packets": self._packets, "done": done}
        # Handed in without taking more, so that none waits for the next step.
        ray.get(self._broker.hand_in.remote(self.trial_id, reports))
        return {"packets": self._packets, "done": False}

    def _run(self, task: Task) -> Report:
        self._packets += 1
        packet, device = task.packet, self._device
        learner = self._learners.get(task.search)
        report = execute(
            task, self._splits, self._slot, device.name, device.type, self._node, learner
        )
        seconds = (report.end_time - report.start_time).total_seconds()
        print(  # noqa: T201 - a worker's output is its log on the dashboard
            f"{packet.id} {packet.phase.lower()} at {', '.join(map(str, packet.levels))}, "
            f"replicates {', '.join(map(str, packet.replicates))}: {seconds:.3f} s",
            flush=True,
        )
        return report

    def __repr__(self) -> str:
        """Returns the name that the dashboard shows, which is read once, at the start."""
        slot = getattr(self, "_slot", None)
        return f"tuner slot of {slot.label}" if slot else "tuner slot"


def resources(cpus: float, gpus: float) -> Callable[[dict[str, Any]], PlacementGroupFactory]:
    """Returns what Ray Tune is to reserve for a slot, by its configuration.

    Ray knows a node by a label of its id, so a slot's reservation can leave some out.
    """

    def of(config: dict[str, Any]) -> PlacementGroupFactory:
        avoided = config.get("avoided")
        where = [{_NODE_LABEL: f"!in({','.join(avoided)})"}] if avoided else None
        bundle = {"CPU": cpus, "GPU": gpus}
        return PlacementGroupFactory([bundle], bundle_label_selector=where)

    return of


class SlotSearcher(Searcher):
    """Supplies Ray Tune with workers up to the job's share; it searches nothing itself.

    Attributes:
        share: How many slots the job may hold now.
        avoided: Nodes on which none is to be begun, by their ids.
    """

    def __init__(self, share: int) -> None:
        """Makes the supplier, with so many slots to begin with."""
        super().__init__(metric="packets", mode="max")
        self.share = share
        self.avoided: tuple[str, ...] = ()
        self._live: set[str] = set()
        self._closed = False

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns a worker's configuration, None while the share is used, or the end.

        It says no more than which nodes the worker is to keep off; see `resources`.
        """
        if self._closed:
            return Searcher.FINISHED
        if len(self._live) >= self.share:
            return None
        self._live.add(trial_id)
        return {"slot": trial_id, "avoided": list(self.avoided)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Notes that a worker has ended."""
        self._live.discard(trial_id)

    def outdated(self, trials: Iterable[Trial]) -> list[Trial]:
        """Returns the slots that wait for room and aren't wanted as they are any more.

        The share may have become less, or other nodes are to be kept off: what waits for
        room on one that is full would wait for ever beside one that is free again.
        """
        waiting = [trial for trial in trials if trial.status == Trial.PENDING]
        beyond = len(self._live) - self.share
        return [
            trial
            for place, trial in enumerate(waiting)
            if place < beyond or trial.config.get("avoided") != list(self.avoided)
        ]

    def close(self) -> None:
        """Supplies no more workers: Ray Tune ends when the last has ended."""
        self._closed = True

    def save(self, checkpoint_path: str) -> None:
        """Writes an empty file: the record is the truth, and Ray Tune's restore isn't used."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Restores nothing."""


class SlotScheduler(FIFOScheduler):
    """Starts slots in their order, and takes back those that wait and aren't wanted any more."""

    def __init__(self, searcher: SlotSearcher) -> None:
        """Makes it of the slots' supplier."""
        super().__init__()
        self._searcher = searcher

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Returns the slot to start next; Ray Tune asks again and again."""
        for trial in self._searcher.outdated(tune_controller.get_live_trials()):
            tune_controller.stop_trial(trial)
        chosen: Trial | None = super().choose_trial_to_run(tune_controller)
        return chosen
