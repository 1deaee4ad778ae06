"""A world to search in: a table of means and training times, and the luck around them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tuner.catalog import Hyperparameter, Number, Value
from tuner.curve import Question
from tuner.errors import invalid
from tuner.record import Member, Phase, Setting
from tuner.spec import Budget, Measuring, Resources, Tuning

Floats = npt.NDArray[np.float64]

METRIC = "accuracy"
"""What every world is scored on; higher is better."""

_NORMAL = NormalDist()
# A runner-up shares its replicates with the winner.
_PHASES = {Phase.TUNING: 0, Phase.MEASURING: 1, Phase.RUNNER_UP: 1}


def normal(*parts: int) -> float:
    """Returns a standard normal draw that the parts determine, in no order.

    No generator is stepped, so a draw doesn't depend on what was drawn before it.
    """
    data = struct.pack(f">{len(parts)}q", *parts)
    digest = hashlib.blake2b(data, digest_size=8).digest()
    return _NORMAL.inv_cdf(((int.from_bytes(digest) >> 12) + 0.5) / 2**52)


@dataclass(frozen=True)
class Noise:
    """How replicates scatter around a candidate's mean.

    Attributes:
        own: Standard deviation of what a candidate doesn't share; one, or one a level.
        shared: Standard deviation of what a replicate brings to all candidates alike:
            an easy split, say. It cancels in paired differences.
    """

    own: float | tuple[float, ...]
    shared: float = 0.0

    def own_at(self, index: int) -> float:
        """Returns the own part of a level, by its place on the ladder."""
        return self.own if isinstance(self.own, float) else self.own[index]


@dataclass(frozen=True, eq=False)
class World:
    """A search's candidates with their true means and training times.

    Attributes:
        name: Its name, such as "hpobench/car".
        axis: The capacity that is searched.
        levels: The ladder, rising.
        grid: The other hyperparameters by name, sorted, and the values that each may
            have. A setting holds a value's place in its list, from 0: the tables are
            regular on a logarithmic scale, so places are what a tuner should see.
        defaults: Each one's place where it isn't tuned.
        means: True mean accuracies, 0 to 1; (levels, *grid).
        seconds: Device-seconds that one fit takes; (levels, *grid).
        noise: How replicates scatter.
        replays: Scores of real seeds, which measuring replays in place of draws;
            (levels, *grid, seeds).
    """

    name: str
    axis: str
    levels: tuple[int, ...]
    grid: Mapping[str, tuple[Value, ...]]
    defaults: Mapping[str, int]
    means: Floats = field(repr=False)
    seconds: Floats = field(repr=False)
    noise: Noise
    replays: Floats | None = field(default=None, repr=False)
    _places: Mapping[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Checks the shapes. Raises ValueError where they don't fit."""
        shape = (len(self.levels), *(len(values) for values in self.grid.values()))
        if self.means.shape != shape or self.seconds.shape != shape:
            raise ValueError(f"means and seconds must be of shape {shape}, levels by grid")
        if list(self.grid) != sorted(self.grid):
            raise ValueError("the grid must be sorted by name, as settings are")
        object.__setattr__(self, "_places", {level: i for i, level in enumerate(self.levels)})

    @property
    def key(self) -> str:
        """What its search is called."""
        return f"{self.name}/{self.axis}"

    @property
    def known(self) -> None:
        """Nothing: a table of results has no learner."""

    @property
    def seeds(self) -> int | None:
        """How many replicates it can measure; None where there is no end to them."""
        return None if self.replays is None else self.replays.shape[-1]

    def ranges(self, level: float | None = None) -> dict[str, Hyperparameter]:
        """Returns what every hyperparameter may be, at any level: a place on the grid."""
        return {
            name: Number(0, len(values) - 1, self.defaults[name], integer=True)
            for name, values in self.grid.items()
        }

    def carried(self, setting: Setting, from_level: float, to_level: float) -> Setting:
        """Returns the setting as it is: a grid's places don't move with the level."""
        return setting

    def best(self) -> dict[int, float]:
        """Returns each level's true mean with the best hyperparameters that the grid has."""
        flat = self.means.reshape(len(self.levels), -1).max(axis=1)
        return dict(zip(self.levels, flat.tolist(), strict=True))

    def ladder(self, levels: Sequence[int]) -> World:
        """Returns the same world with some of its levels only.

        Raises:
            TunerError: INVALID_ARGUMENT where it hasn't one of them, or they don't rise,
                or are fewer than two.
        """
        missing = set(levels) - set(self.levels)
        if missing or len(levels) < 2 or list(levels) != sorted(set(levels)):
            known = ", ".join(map(str, self.levels))
            raise invalid("--levels", f"{self.key} has {known}; give at least two, rising")
        keep = [self._places[level] for level in levels]
        own = self.noise.own
        noise = self.noise if isinstance(own, float) else Noise(
            tuple(own[i] for i in keep), self.noise.shared
        )  # fmt: skip
        return replace(
            self,
            levels=tuple(levels),
            means=self.means[keep],
            seconds=self.seconds[keep],
            noise=noise,
            replays=None if self.replays is None else self.replays[keep],
        )

    def cell(self, member: Member) -> tuple[int, ...]:
        """Returns a member's place in the table.

        Raises:
            ValueError: The table hasn't that setting.
        """
        if tuple(name for name, _ in member.setting) != tuple(self.grid):
            raise ValueError(f"{self.key} has {', '.join(self.grid) or 'nothing'} to set")
        cell = (self._places[member.level], *(int(place) for _, place in member.setting))
        if any(not 0 <= place < size for place, size in zip(cell, self.means.shape, strict=True)):
            raise ValueError(f"{member.setting} is outside of the grid of {self.key}")
        return cell

    def draw(self, seed: int) -> Draw:
        """Returns one run's luck."""
        return Draw(self, seed)


class Draw:
    """The scores of one run: the same seed, the same scores, whatever is asked first."""

    def __init__(self, world: World, seed: int) -> None:
        """Draws nothing yet."""
        self._world = world
        self._seed = seed
        order = np.random.default_rng(seed).permutation(world.seeds) if world.seeds else None
        self._order = None if order is None else order.tolist()

    def score(self, phase: Phase, member: Member) -> float:
        """Returns a member's score.

        Tuning and measuring never share a draw. Where seeds are replayed, measuring
        takes them in an order of the run's own, and tuning still draws: of five
        seeds none can be spared.

        Raises:
            ValueError: The table hasn't that candidate, or no more seeds to replay.
        """
        world = self._world
        cell = world.cell(member)
        if phase is not Phase.TUNING and world.replays is not None:
            assert self._order is not None
            if member.replicate >= len(self._order):
                raise ValueError(f"{world.key} has {world.seeds} seeds to replay, and no more")
            return float(world.replays[(*cell, self._order[member.replicate])])
        where = (self._seed, _PHASES[phase], member.replicate)
        score = float(world.means[cell]) + world.noise.own_at(cell[0]) * normal(
            *where, world.levels[cell[0]], *cell[1:]
        )
        if world.noise.shared:
            score += world.noise.shared * normal(*where)
        return score

    def seconds(self, member: Member) -> float:
        """Returns the device-seconds that a member takes. Raises as `score`."""
        return float(self._world.seconds[self._world.cell(member)])


@dataclass(frozen=True)
class WorldSpec:
    """A question put to a world: what a policy gets in place of a job's spec.

    Attributes:
        world: The world.
        margin: The least gain in accuracy per doubling that is worth having.
        seed: Of the policy's own decisions and of the run's luck.
        alpha: The share of verdicts that may be wrong.
        patience: Larger levels that must be measured before one can plateau.
        tuning: How hyperparameters are chosen.
        measuring: How often winners are measured.
        resources: What a packet may hold.
        budget: How many candidates may be tried.
    """

    world: World
    margin: float = 0.01
    seed: int = 0
    alpha: float = 0.05
    patience: int = 2
    tuning: Tuning = field(default_factory=Tuning)
    measuring: Measuring = field(default_factory=Measuring)
    resources: Resources = field(default_factory=Resources)
    budget: Budget = field(default_factory=Budget)

    def question(self, key: str) -> Question:
        """Returns what is asked. Raises KeyError for another key than the world's."""
        world = self.search(key)
        return Question(
            search=key,
            learner=world.name,
            axis=world.axis,
            levels=world.levels,
            metric=METRIC,
            direction="maximize",
            margin=self.margin,
            alpha=self.alpha,
            patience=self.patience,
        )

    def search(self, key: str) -> World:
        """Returns the world, which has the ladder and the ranges. Raises as `question`."""
        if key != self.world.key:
            raise KeyError(key)
        return self.world
