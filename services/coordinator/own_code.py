"""Whether a job may bring code of the user's own."""

from __future__ import annotations

from services.coordinator.artifacts import Artifacts
from services.coordinator.datasets import check_uploaded
from tuner.errors import Status, TunerError, invalid
from tuner.spec import JobSpec

SETTING = "TUNER_COORDINATOR_ALLOW_USER_CODE"


def check_code(spec: JobSpec, allowed: bool, artifacts: Artifacts) -> None:
    """Judges the job's own learners and metrics, as far as can be told without running them.

    Args:
        spec: The job's spec.
        allowed: Whether the operator allows code from users.
        artifacts: Where uploaded files are.

    Raises:
        TunerError: PERMISSION_DENIED, reason USER_CODE_OFF, where it isn't allowed;
            INVALID_ARGUMENT where the code wasn't packed; FAILED_PRECONDITION where it isn't
            uploaded.
    """
    own = [*spec.own_learners, *spec.own_metrics]
    if (own or spec.code is not None) and not allowed:
        what = f"{', '.join(own)} {'is' if len(own) == 1 else 'are'}" if own else "spec.code is"
        raise TunerError(
            Status.PERMISSION_DENIED,
            "USER_CODE_OFF",
            f"{what} code of your own, which this coordinator runs for nobody; its operator can "
            f"allow it by {SETTING}=true",
        )
    if spec.code is None:
        return
    field = "spec.code.archive"
    if spec.code.archive is None:
        raise invalid(field, "is missing: the client packs the folder and uploads it")
    check_uploaded({field: spec.code.archive}, artifacts)
