"""A coordinator for the time of a command, and a job that is followed to its end there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuner.cli.console import say
from tuner.errors import TunerError

if TYPE_CHECKING:
    from tuner.client import Client, Job

CANCEL_SECONDS = 20.0


@contextmanager
def coordinator(address: str | None, cpus: int | None, gpus: int | None) -> Iterator[Client]:
    """Yields a client of the coordinator that is named or up, or of one for the time being."""
    from tuner.cli.embedded import running, services_for_a_while
    from tuner.client import Client

    if address or os.environ.get("TUNER_ADDRESS") or running():
        with Client(address) as client:
            yield client
        return
    with services_for_a_while(cpus, gpus, say) as services, Client(services.address) as client:
        yield client


def follow_or_cancel(job: Job) -> bool:
    """Follows the job to its end; Ctrl-C cancels it. Returns whether somebody pressed that."""
    from tuner.cli.live import follow

    try:
        follow(job)
    except KeyboardInterrupt:
        say("\ncancelling; what was measured is kept")
        if not job.refresh().state.ended:
            job.cancel()
            _wait_a_while(job)
        return True
    return False


def _wait_a_while(job: Job) -> None:
    try:
        job.wait(CANCEL_SECONDS)
    except TunerError as error:
        if error.reason != "WAIT_TIMEOUT":
            raise
        say(error.message)


def say_addresses(client: Client) -> None:
    """Says where the coordinator and Ray's dashboard are."""
    status = client.cluster_status()
    say(f"coordinator    {client.endpoint.address}")
    say(f"Ray dashboard  {status.dashboard_address}")
    if status.problem:
        say(f"the cluster can't be reached: {status.problem}; the job waits for it")
