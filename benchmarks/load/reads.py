"""What a page of a list costs, wherever in the list it is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from benchmarks.load.clients import bearer
from benchmarks.load.server import Served
from tuner.v1 import tuner_service_pb2 as pb
from tuner.v1.tuner_service_pb2_grpc import TunerServiceStub
from tuner.wire.pages import make_token

_TIMES = 9


@dataclass(frozen=True)
class Reads:
    """Medians of several calls, in milliseconds; pages are of 100.

    Attributes:
        measurements_first: ListMeasurements' first page.
        measurements_last: Its last.
        trials_first: ListTrials' first page.
        trials_tenth: Its tenth.
    """

    measurements_first: float
    measurements_last: float
    trials_first: float
    trials_tenth: float


def reads(server: Served, job: str) -> Reads:
    """Reads pages of a job's lists."""
    metadata = bearer(server.token)
    with grpc.insecure_channel(server.address) as channel:
        stub = TunerServiceStub(channel)
        last = stub.GetJob(pb.GetJobRequest(name=job), metadata=metadata).last_sequence
        near_end = make_token(str(max(0, last - 110)), "measurements", job, "")

        def measurements(token: str) -> Any:
            request = pb.ListMeasurementsRequest(parent=job, page_size=100, page_token=token)
            return stub.ListMeasurements(request, metadata=metadata)

        def trials(token: str) -> Any:
            request = pb.ListTrialsRequest(parent=job, page_size=100, page_token=token)
            return stub.ListTrials(request, metadata=metadata)

        tenth = ""
        for _ in range(9):
            # With fewer than ten pages, the last one.
            tenth = trials(tenth).next_page_token or tenth
        return Reads(
            _median(measurements, ""),
            _median(measurements, near_end),
            _median(trials, ""),
            _median(trials, tenth),
        )


def _median(call: Callable[[str], Any], token: str) -> float:
    took = []
    for _ in range(_TIMES):
        begin = time.monotonic()
        call(token)
        took.append(time.monotonic() - begin)
    return 1e3 * statistics.median(took)
