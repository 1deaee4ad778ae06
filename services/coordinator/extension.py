"""What a job's spec becomes when it is extended: the same question, with more to answer it. Pure.

The margin, the data, the learners and everything that is random stay as they were declared;
only what may be spent, how often a level is measured and which levels there are may grow.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from tuner.errors import Status, TunerError, Violation
from tuner.spec import JobSpec, Search
from tuner.spec.job import MAX_SEARCHES
from tuner.v1 import spec_pb2
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.spec import spec_from_wire, spec_to_wire

MAX_TOLD = 20

_MOST = 2**63 - 1
_LEVELS = re.compile(r"searches\[(\d+)\]\.levels")


def extended(spec: JobSpec, request: pb.ExtendJobRequest) -> tuple[JobSpec, list[str]]:
    """Returns the spec with what is asked for in addition, and what that is, in sentences.

    Raises:
        TunerError: INVALID_ARGUMENT with the request's field where it asks for nothing, for
            less than there is, or for what no spec may have; FAILED_PRECONDITION where the
            job fits one model.
    """
    if spec.refit is not None:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "NOT_EXTENDABLE",
            "the job fits one model to be kept, so there is nothing to have more of; export "
            "another level instead",
        )
    message = spec_to_wire(spec)
    wrong: list[Violation] = []
    changes = [
        *_replicates(message, request, wrong),
        *_levels(message, request, wrong),
        *_budget(message, request, wrong),
    ]
    if not wrong and not changes:
        problem = (
            "nothing is asked for; give max_replicates, levels, more_device_hours, "
            "more_wall_clock_hours or more_trials"
        )
        wrong.append(Violation("max_replicates", problem))
    if wrong:
        raise _refused(wrong)
    try:
        return spec_from_wire(message), changes
    except TunerError as error:
        raise _refused([_as_asked(v, spec, request) for v in error.violations]) from error


def _replicates(
    message: spec_pb2.JobSpec, request: pb.ExtendJobRequest, wrong: list[Violation]
) -> list[str]:
    before, wanted = message.measuring.max_replicates, request.max_replicates
    if not wanted:
        return []
    if wanted <= before:
        problem = f"is {wanted}, and the job may have {before} already; give more than that"
        wrong.append(Violation("max_replicates", problem))
        return []
    message.measuring.max_replicates = wanted
    return [f"at most {wanted} replicates of a level, where it was {before}"]


def _levels(
    message: spec_pb2.JobSpec, request: pb.ExtendJobRequest, wrong: list[Violation]
) -> list[str]:
    added: dict[str, list[int]] = {}
    if len(request.levels) > MAX_SEARCHES:
        problem = (
            f"names {len(request.levels)} searches or axes; name each once, {MAX_SEARCHES} at most"
        )
        wrong.append(Violation("levels", problem))
        return []
    for place, more in enumerate(request.levels):
        searches = [s for s in message.searches if more.search and _is_meant(s, more.search)]
        if not searches:
            known = ", ".join(s.key for s in message.searches)
            axes = ", ".join(dict.fromkeys(s.axis for s in message.searches if s.axis))
            problem = (
                f"{more.search[:100]!r} is no search and no axis of the job; there are {known}"
            )
            problem += f", and the axes {axes}" if axes else ""
            wrong.append(Violation(f"levels[{place}].search", problem))
        if not more.levels:
            wrong.append(Violation(f"levels[{place}].levels", "is empty; name the levels"))
        for search in searches:
            there = sorted({*more.levels} & {*search.levels})
            twice = [level for level, times in Counter(more.levels).items() if times > 1]
            if there or twice:
                said = f"{(there or twice)[0]} is a level of {search.key} already"
                problem = f"{said if there else f'{twice[0]} is repeated'}; leave it out"
                wrong.append(Violation(f"levels[{place}].levels", problem))
                continue
            search.levels[:] = sorted([*search.levels, *more.levels])
            added.setdefault(search.key, []).extend(more.levels)
    now = {search.key: len(search.levels) for search in message.searches}
    return [
        f"{key}: the level{'s' * (len(more) > 1)} {', '.join(map(str, sorted(more)))} in addition, "
        f"which makes {now[key]} declared levels of {now[key] - len(more)}"
        for key, more in added.items()
    ]


def _is_meant(search: spec_pb2.SearchSpec | Search, called: str) -> bool:
    return called in (search.key, search.axis)


def _budget(
    message: spec_pb2.JobSpec, request: pb.ExtendJobRequest, wrong: list[Violation]
) -> list[str]:
    changes = []
    for field, more, said in (
        ("device_hours", request.more_device_hours, "device-hours"),
        ("wall_clock_hours", request.more_wall_clock_hours, "hours by the clock"),
        ("trials", request.more_trials, "candidates a search"),
    ):
        before = getattr(message.budget, field)
        if not more:
            continue
        if not math.isfinite(more) or more < 0:
            problem = f"is {more:g}; give how many there are to be in addition"
            wrong.append(Violation(f"more_{field}", problem))
        elif not before:
            problem = f"the job has no limit on {said}, so it needs no more of them; leave it out"
            wrong.append(Violation(f"more_{field}", problem))
        elif not math.isfinite(before + more) or (field == "trials" and before + more > _MOST):
            wrong.append(Violation(f"more_{field}", "makes more than can be counted; give less"))
        else:
            setattr(message.budget, field, before + more)
            changes.append(f"at most {before + more:g} {said}, where it was {before:g}")
    return changes


def _as_asked(violation: Violation, spec: JobSpec, request: pb.ExtendJobRequest) -> Violation:
    """Returns what is wrong with the new spec as what is wrong with the request."""
    if violation.field == "measuring.max_replicates":
        return Violation("max_replicates", violation.problem)
    if found := _LEVELS.match(violation.field):
        search = spec.searches[int(found[1])]
        for place, more in enumerate(request.levels):
            if _is_meant(search, more.search):
                problem = f"of {search.key}: {violation.problem}"
                return Violation(f"levels[{place}].levels", problem)
    return violation


def _refused(violations: Sequence[Violation]) -> TunerError:
    return TunerError(
        Status.INVALID_ARGUMENT,
        "INVALID_EXTENSION",
        "the job can't be extended like this",
        # As many as one reads, and as a status can carry.
        list(dict.fromkeys(violations))[:MAX_TOLD],
    )
