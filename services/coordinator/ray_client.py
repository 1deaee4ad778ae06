"""Ray's job submission client with time-outs, typed errors, and what the cluster has.

Imports Ray, so it is imported only when a cluster is to be reached.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient
from ray.util.state import list_nodes
from ray.util.state.exception import RayStateApiException

from services.coordinator.gateway import RefusedError, UnreachableError

# Seconds to connect, and to wait for an answer; the dashboard starts a driver's
# supervisor before it answers a submission.
_TIMEOUT = (5.0, 30.0)

_NODES = 10_000


class TimedClient(JobSubmissionClient):  # type: ignore[misc] # Ray is untyped
    """The SDK's client; it has no time-outs of its own and raises RuntimeError for everything.

    Raises:
        UnreachableError: The dashboard doesn't answer, or not in time, or
            doesn't accept our token.
        RefusedError: It answers that it won't.
    """

    def __init__(self, address: str) -> None:
        try:
            super().__init__(address)
        except ConnectionError as error:
            raise UnreachableError(str(error)) from error
        self._nodes_address = address

    def _do_request(self, method: str, endpoint: str, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", _TIMEOUT)
        try:
            response: requests.Response = super()._do_request(method, endpoint, **kwargs)
        except requests.RequestException as error:
            raise UnreachableError(
                f"the Ray dashboard at {self._address} doesn't answer: {type(error).__name__}"
            ) from error
        except AuthenticationError as error:
            # The operator's to mend, so no job is to fail of it.
            raise UnreachableError(
                f"the Ray dashboard at {self._address} doesn't accept our token; set "
                "RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH of the coordinator as on the cluster"
            ) from error
        return response

    def _raise_error(self, r: requests.Response) -> None:
        lines = r.text.strip().splitlines()
        # A traceback's last line says it; the others are the dashboard's own affair.
        text = lines[-1] if lines else "no reason given"
        message = f"the Ray dashboard answered {r.status_code}: {text}"
        if r.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UnreachableError(message)
        raise RefusedError(message)

    def find(self, submission_id: str) -> JobDetails | None:
        """Returns what the cluster knows of a job, or None."""
        response = self._do_request("GET", f"/api/jobs/{submission_id}")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if not response.ok:
            raise UnreachableError(
                f"the Ray dashboard answered {response.status_code} when asked for {submission_id}"
            )
        return JobDetails(**response.json())

    def nodes(self) -> list[Any]:
        """Returns the cluster's nodes, the dead among them."""
        try:
            return list(
                list_nodes(
                    address=self._nodes_address,
                    limit=_NODES,
                    timeout=int(_TIMEOUT[0]),
                    detail=True,
                    raise_on_missing_output=False,
                )
            )
        except (AuthenticationError, RayStateApiException, requests.RequestException) as error:
            raise UnreachableError(f"the cluster's nodes can't be listed: {error}") from error

    def usage(self) -> dict[str, float] | None:
        """Returns how much of each resource is in use; None where that isn't reported."""
        response = self._do_request("GET", "/api/cluster_status")
        if not response.ok:
            raise UnreachableError(
                f"the Ray dashboard answered {response.status_code} when asked for its use"
            )
        return used_resources(response.json())


def used_resources(answer: dict[str, Any]) -> dict[str, float] | None:
    """Reads the use of resources out of the answer of /api/cluster_status.

    The autoscaler writes the report a few seconds after the cluster's start.

    Returns:
        Units in use by the resource's name; None where there is no report.
    """
    status = answer.get("data", {}).get("clusterStatus") or {}
    usage = (status.get("loadMetricsReport") or {}).get("usage")
    if usage is None:
        return None
    return {name: float(pair[0]) for name, pair in usage.items()}
