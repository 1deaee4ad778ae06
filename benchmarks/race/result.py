"""What a side of the race says, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuner.curve import Verdict, VerdictOutcome


@dataclass(frozen=True)
class Answer:
    """One search's verdict and bill.

    Attributes:
        search: The search's key.
        outcome: The verdict's.
        level: Its level; None where it has none.
        levels: Levels that were measured.
        fits: Fits that were run, tuning included; one that scores many levels counts once.
        device_seconds: What they took.
        reason: The verdict's sentence.
    """

    search: str
    outcome: str
    level: float | None
    levels: tuple[float, ...]
    fits: int
    device_seconds: float
    reason: str = ""

    @property
    def verdict(self) -> str:
        """The verdict as a table shows it."""
        return self.outcome if self.level is None else f"{self.outcome} at {self.level:g}"

    @classmethod
    def of(
        cls,
        search: str,
        verdict: Verdict,
        levels: tuple[float, ...],
        fits: int,
        device_seconds: float,
    ) -> Answer:
        """Returns the answer that a verdict stands for."""
        outcome, level = verdict.answer
        return cls(search, outcome.value, level, levels, fits, device_seconds, verdict.reason)


def agree(one: Answer, other: Answer) -> bool:
    """Tells whether two answers are the same: one level that suffices, or both still rising.

    Whether more than enough does harm, too, is no matter here. Two INCONCLUSIVEs
    say nothing, so they don't agree.
    """
    if one.level is not None or other.level is not None:
        return one.level == other.level
    return one.outcome == other.outcome == VerdictOutcome.RISING.value


@dataclass(frozen=True)
class Finish:
    """One side's run of a question.

    Attributes:
        way: What was run.
        seconds: From the start of its script to the last verdict, Ray's start left out.
        ray_seconds: What the start of Ray took, and of the coordinator where there is one.
        first_seconds: From the start of the script to the first result, Ray's start left out.
        answers: The searches' answers, in the spec's order.
    """

    way: str
    seconds: float
    ray_seconds: float
    first_seconds: float
    answers: tuple[Answer, ...]

    @property
    def device_seconds(self) -> float:
        """What all its fits took."""
        return sum(answer.device_seconds for answer in self.answers)

    @property
    def fits(self) -> int:
        """How many they were."""
        return sum(answer.fits for answer in self.answers)


def as_json(question: str, finishes: list[Finish]) -> dict[str, Any]:
    """Returns a question's race as one object that JSON can hold; ratios are to the first."""
    ours = finishes[0]
    return {
        "question": question,
        "ways": [
            {
                "way": finish.way,
                "seconds": finish.seconds,
                "times_ours": finish.seconds / ours.seconds,
                "ray_seconds": finish.ray_seconds,
                "first_seconds": finish.first_seconds,
                "device_seconds": finish.device_seconds,
                "device_times_ours": finish.device_seconds / ours.device_seconds,
                "fits": finish.fits,
                "searches": [
                    vars(answer) | {"agrees": agree(mine, answer)}
                    for mine, answer in zip(ours.answers, finish.answers, strict=True)
                ],
            }
            for finish in finishes
        ],
    }


def markdown(question: str, finishes: list[Finish]) -> str:
    """Returns a question's race as two tables: the ways, and what they say of each search."""
    ours = finishes[0]
    lines = [
        f"| {question} | seconds | times ours | first result after | Ray's start, apart "
        "| fits | device-seconds | times ours |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for finish in finishes:
        lines.append(
            f"| {finish.way} | {finish.seconds:.1f} | {finish.seconds / ours.seconds:.1f} "
            f"| {finish.first_seconds:.1f} s | {finish.ray_seconds:.1f} s | {finish.fits} "
            f"| {finish.device_seconds:.1f} | {finish.device_seconds / ours.device_seconds:.1f} |"
        )
    lines += [
        "",
        "| search | way | verdict | agrees with ours | levels measured | device-seconds "
        "| times ours |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for place, mine in enumerate(ours.answers):
        for finish in finishes:
            answer = finish.answers[place]
            agrees = "" if finish is ours else "yes" if agree(mine, answer) else "no"
            levels = " ".join(f"{level:g}" for level in answer.levels)
            lines.append(
                f"| {answer.search} | {finish.way} | {answer.verdict} | {agrees} | {levels} "
                f"| {answer.device_seconds:.1f} | {answer.device_seconds / mine.device_seconds:.1f}"
                " |"
            )
    return "\n".join(lines)
