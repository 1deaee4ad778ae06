"""A gRPC server that speaks the coordinator's wire with canned messages, and fails on demand."""

from __future__ import annotations

import hashlib
from collections import Counter
from concurrent import futures
from dataclasses import dataclass, field, replace

import grpc
import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from tuner import catalog
from tuner.curve import (
    Contender,
    Costs,
    CostStep,
    CostTrend,
    Curve,
    CurveLevel,
    Difference,
    Gain,
    LearnerComparison,
    Needed,
    NextDoubling,
    SearchState,
    Verdict,
    VerdictOutcome,
)
from tuner.errors import Status, TunerError
from tuner.predictions import Truth, encode
from tuner.record import Measurement, Outcome, Phase, Place, PlanStep, StepKind, make_setting
from tuner.spec import JobSpec
from tuner.v1 import record_pb2, returns_pb2, tuner_service_pb2_grpc
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.artifacts import TRUTH, predictions_name
from tuner.wire.catalog import learner_to_wire
from tuner.wire.comparison import comparison_to_wire
from tuner.wire.curve import curve_to_wire
from tuner.wire.errors import to_status
from tuner.wire.record import measurement_to_wire, step_to_wire
from tuner.wire.spec import spec_from_wire, spec_to_wire

PAGE = 2
"""Small, so that every list comes in pages."""

INF = float("inf")


def make_spec(**changes) -> JobSpec:
    """Two searches and the baseline."""
    data = {
        "name": "digits",
        "dataset": "digits",
        "margin": 0.02,
        "searches": [
            {"learner": "cnn", "axis": "depth", "levels": [1, 2, 4, 8]},
            {"learner": "forest", "axis": "trees", "levels": [1, 4, 16]},
        ],
    }
    return JobSpec.parse(data | changes)


def make_curves() -> list[Curve]:
    """A plateau with a level never measured, an inconclusive one, and the baseline."""
    rate = make_setting({"learning_rate": 0.00312345, "dropout": 0.1})
    cnn = Curve(
        "cnn/depth",
        "cnn",
        "depth",
        "error",
        "minimize",
        0.02,
        levels=(
            CurveLevel(1, 4, 0, 0.10, 0.08, 0.12, None, 0.05, 1.25, 20.0, 1200, rate, INF),
            CurveLevel(
                2,
                4,
                1,
                0.04,
                0.03,
                0.05,
                Gain(1, 2, 0.06, 0.04, 0.08, 1, 2.0, 172.8),
                0.01,
                2.5,
                40.0,
                9000,
                rate,
                0.012,
            ),
            CurveLevel(
                4,
                3,
                0,
                0.039,
                -INF,
                INF,
                Gain(2, 4, 0.001, -INF, INF, 1, 2.0, 1.44),
                None,
                5.0,
                80.0,
                20000,
                rate,
            ),
        ),
        verdict=Verdict(VerdictOutcome.PLATEAUED, 2, "Depth 2 is enough: no more is gained."),
        notes=("One replicate diverged.",),
        unmeasured=(8,),
        state=SearchState.CONCLUDED,
        state_reason="The verdict is reached.",
        sequence=9,
        analysis_version="1",
        level_probabilities={1: 0.01, 2: 0.93, 4: 0.06},
        next_doubling=NextDoubling(8, 0.0004, -0.011, 0.012, "log-linear", False),
        costs=Costs(
            CostTrend(1.0, -INF, INF, 1.25, "device-seconds"),
            last_worthwhile=CostStep(1, 2, 0.06, 1.25, True),
            first_worthless=CostStep(2, 4, 0.001, 2.5, True),
        ),
    )
    forest = Curve(
        "forest/trees",
        "forest",
        "trees",
        "brier",
        "minimize",
        0.02,
        levels=(
            CurveLevel(1, 4, 0, 0.5, 0.4, 0.6, None, None, 0.1, 1.0, 300),
            CurveLevel(4, 4, 0, 0.2, 0.1, 0.3, Gain(1, 4, 0.3, 0.1, 0.5, 2), None, 0.4, 2.0, 1200),
        ),
        verdict=Verdict(
            VerdictOutcome.INCONCLUSIVE,
            None,
            "Neither 4 nor 16 is excluded.",
            (4, 16),
            ("about 9 more replicates at 16",),
        ),
        needed=Needed((13, None), None, "about 9 more replicates at 16"),
        state=SearchState.CONCLUDED,
    )
    baseline = Curve(
        "perceptron",
        "perceptron",
        "",
        "error",
        "minimize",
        0.02,
        levels=(CurveLevel(1, 4, 0, 0.08, 0.07, 0.09, None, None, 0.5, 3.0, 650),),
        verdict=None,
        baseline=True,
        state=SearchState.CONCLUDED,
    )
    return [baseline, forest, cnn]  # not in the spec's order, on purpose


def make_comparison() -> LearnerComparison:
    """Two that can't be told apart, of which the cheaper is good enough."""
    return LearnerComparison(
        metric="error",
        margin=0.02,
        contenders=(
            Contender("cnn/depth", 2, True, 0.04, 2.5),
            Contender("perceptron", 1, False, 0.08, 0.5),
            Contender("forest/trees", 4, False, 0.2, None),
        ),
        differences=(
            Difference("cnn/depth", "perceptron", 4, 0.04, -0.01, 0.09, 0.2, 0.8),
            Difference("cnn/depth", "forest/trees", 4, 0.16, 0.1, 0.22),
            Difference("perceptron", "forest/trees", 4, 0.12, 0.06, INF),
        ),
        groups=(("cnn/depth", "perceptron"), ("forest/trees",)),
        good_enough="cnn/depth",
        reason="cnn/depth is the cheapest shown to be within 0.02 of the best.",
        notes=("Four replicates are few.",),
    )


def make_measurement(search: str, level: int, replicate: int, error: float) -> Measurement:
    return Measurement(
        id=f"{search}:{level}:{replicate}",
        search=search,
        phase=Phase.MEASURING,
        level=level,
        setting=make_setting({"learning_rate": 0.01}),
        replicate=replicate,
        outcome=Outcome.COMPLETED,
        scores={"error": error},
        billed_device_seconds=2.0,
    )


def make_events(end: str = "SUCCEEDED") -> list[pb.Event]:
    """A short life of a job."""
    events = [
        pb.Event(job_state_changed={"state": "JOB_STATE_PENDING"}),
        pb.Event(job_state_changed={"state": "JOB_STATE_RUNNING"}),
        pb.Event(runner_started={"attempt": 1, "submission_id": "job-1"}),
        pb.Event(
            plan_step_committed=step_to_wire(
                PlanStep(
                    "cnn/depth", 1, StepKind.TUNE, "Tune depth 1 with 4 candidates.", "climb/1"
                )
            )
        ),
        pb.Event(
            measurement_recorded=measurement_to_wire(make_measurement("cnn/depth", 1, 0, 0.1))
        ),
        pb.Event(
            search_state_changed={
                "search": "cnn/depth",
                "state": "SEARCH_STATE_CONCLUDED",
                "reason": "Depth 2 is enough.",
            }
        ),
        pb.Event(job_state_changed={"state": f"JOB_STATE_{end}", "reason": "all is done"}),
    ]
    for number, event in enumerate(events, 1):
        event.sequence = number
        event.time.CopyFrom(Timestamp(seconds=1_700_000_000 + number))
    return events


@dataclass
class Double(tuner_service_pb2_grpc.TunerServiceServicer):
    """The wire's other end.

    Attributes:
        failing: How often the next calls answer UNAVAILABLE, by method.
        old: Whether it is too old to compare searches.
        cut: After how many events the next streams break off, one each.
        calls: What was called, how often.
        requests: Every CreateJob request, retries too.
        listed: Every ListCurves request, its pages too.
        kept: Files of every job, by name. A file is sent in chunks of three bytes.
        places: By measurement id, where its predictions are.
        spared: By condition, the searches that aren't measured under it; nothing is then
            compared under it.
    """

    token: str = ""
    end: str = "SUCCEEDED"
    old: bool = False
    compared: list[pb.CompareSearchesRequest] = field(default_factory=list)
    failing: Counter = field(default_factory=Counter)
    cut: list[int] = field(default_factory=list)
    calls: Counter = field(default_factory=Counter)
    requests: list[pb.CreateJobRequest] = field(default_factory=list)
    watched: list[int] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    listed: list[pb.ListCurvesRequest] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    spared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    jobs: dict[str, pb.Job] = field(default_factory=dict)
    log: list[str] = field(default_factory=lambda: [f"line {i}" for i in range(6)])

    def _enter(self, method, context):
        self.calls[method] += 1
        sent = dict(context.invocation_metadata()).get("authorization", "")
        if self.token and sent != f"Bearer {self.token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "a token is needed")
        if self.failing[method] > 0:
            self.failing[method] -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "going down")

    def _abort(self, context, error):
        status = to_status(error)
        context.abort_with_status(_rpc(status))

    def add_job(self, spec=None, job="digits-1", state=None) -> str:
        name = f"namespaces/default/jobs/{job}"
        self.jobs[name] = pb.Job(
            name=name,
            spec=spec_to_wire(spec or make_spec()),
            state=f"JOB_STATE_{state or self.end}",
            last_sequence=7,
            attempt=1,
            billed_device_seconds=146.0,
            owner="ann",
            create_time=Timestamp(seconds=1_700_000_000),
            searches=[
                pb.SearchStatus(key=k, state="SEARCH_STATE_CONCLUDED")
                for k in ("cnn/depth", "forest/trees", "perceptron")
            ],
        )
        return name

    def CreateJob(self, request, context):
        self.requests.append(request)
        self._enter("CreateJob", context)
        spec = spec_from_wire(request.spec)
        if request.validate_only:
            return pb.Job(spec=request.spec)
        name = self.add_job(spec, request.job_id or "digits-1")
        created = pb.Job()
        created.CopyFrom(self.jobs[name])
        created.state = pb.JOB_STATE_PENDING
        created.last_sequence = 1
        return created

    def _found(self, name, context):
        if name not in self.jobs:
            error = TunerError(Status.NOT_FOUND, "JOB_NOT_FOUND", f"there is no job {name}")
            self._abort(context, error)
        return self.jobs[name]

    def GetJob(self, request, context):
        self._enter("GetJob", context)
        return self._found(request.name, context)

    def CancelJob(self, request, context):
        self._enter("CancelJob", context)
        job = self._found(request.name, context)
        self.end = "CANCELLED"
        job.state = pb.JOB_STATE_CANCELLED
        return job

    def DeleteJob(self, request, context):
        self._enter("DeleteJob", context)
        self._found(request.name, context)
        del self.jobs[request.name]
        return pb.DeleteJobResponse()

    def WatchJob(self, request, context):
        self._enter("WatchJob", context)
        self.watched.append(request.after)
        self._found(request.name, context)
        events = make_events(self.end)
        # One event is sent twice: a client must not pass on what it has seen.
        left = events[max(request.after - 1, 0) :]
        cut = self.cut.pop(0) if self.cut else None
        for event in left[:cut]:
            yield pb.WatchJobResponse(events=[event])
        if cut is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the coordinator goes down")

    def ListJobs(self, request, context):
        self._enter("ListJobs", context)
        jobs, token = _page(list(self.jobs.values()), request.page_token)
        return pb.ListJobsResponse(jobs=jobs, next_page_token=token)

    def ListCurves(self, request, context):
        self._enter("ListCurves", context)
        self.listed.append(request)
        curves, token = _page(
            [curve_to_wire(c) for c in self._under(request.metric)], request.page_token
        )
        return pb.ListCurvesResponse(curves=curves, next_page_token=token)

    def _under(self, metric) -> list[Curve]:
        """The canned curves; under a condition those of the searches that have it."""
        curves = make_curves()
        named, at, condition = metric.partition("@")
        if not at:
            return curves
        return [
            replace(curve, metric=f"{named or curve.metric}@{condition}")
            for curve in curves
            if curve.search not in self.spared.get(condition, ())
        ]

    def CompareSearches(self, request, context):
        self._enter("CompareSearches", context)
        if self.old:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        self.compared.append(request)
        named, at, condition = request.metric.partition("@")
        if condition in self.spared:
            return pb.CompareSearchesResponse()
        found = make_comparison()
        if at:
            found = replace(found, metric=f"{named or found.metric}@{condition}")
        return pb.CompareSearchesResponse(comparison=comparison_to_wire(found))

    def _measurements(self, search):
        found = [make_measurement("cnn/depth", 1, i, 0.1 + i / 100) for i in range(3)]
        found += [make_measurement("forest/trees", 4, i, 0.2) for i in range(2)]
        found = [replace(m, predictions=self.places.get(m.id)) for m in found]
        return [measurement_to_wire(m) for m in found if not search or m.search == search]

    def ListMeasurements(self, request, context):
        self._enter("ListMeasurements", context)
        found, token = _page(self._measurements(request.search), request.page_token)
        return pb.ListMeasurementsResponse(measurements=found, next_page_token=token)

    def ListTrials(self, request, context):
        self._enter("ListTrials", context)
        trials = [
            pb.Trial(
                search=search,
                level=level,
                measured=True,
                measurements=self._measurements(search),
                hyperparameters=self._measurements(search)[0].hyperparameters,
            )
            for search, level in (("cnn/depth", 1), ("forest/trees", 4), ("cnn/depth", 2))
            if not request.search or search == request.search
        ]
        found, token = _page(trials, request.page_token)
        return pb.ListTrialsResponse(trials=found, next_page_token=token)

    def ListPlanSteps(self, request, context):
        self._enter("ListPlanSteps", context)
        steps = [
            step_to_wire(PlanStep("cnn/depth", n, StepKind.TUNE, f"step {n}", "climb/1"))
            for n in (1, 2, 3)
        ]
        found, token = _page(steps, request.page_token)
        return pb.ListPlanStepsResponse(plan_steps=found, next_page_token=token)

    def ListLearners(self, request, context):
        self._enter("ListLearners", context)
        learners = [learner_to_wire(k) for k in catalog.LEARNERS.values() if k.listed]
        found, token = _page(learners, request.page_token)
        return pb.ListLearnersResponse(learners=found, next_page_token=token)

    def GetClusterStatus(self, request, context):
        self._enter("GetClusterStatus", context)
        return pb.ClusterStatus(
            dashboard_address="http://127.0.0.1:8265",
            nodes=[pb.Node(id="n1", address="192.0.2.1", cpus=2, alive=True)],
            cpus=2,
            cpus_free=1,
            jobs_running=1,
            server_version="0.1.0",
        )

    def UploadBlob(self, request_iterator, context):
        self._enter("UploadBlob", context)
        header = next(request_iterator).header
        if header.sha256 in self.blobs:
            return pb.UploadBlobResponse(
                sha256=header.sha256, size_bytes=header.size_bytes, existed=True
            )
        self.blobs[header.sha256] = b"".join(r.chunk for r in request_iterator)
        return pb.UploadBlobResponse(sha256=header.sha256, size_bytes=header.size_bytes)

    def ListArtifacts(self, request, context):
        self._enter("ListArtifacts", context)
        self._found(request.parent, context)
        rows = [
            record_pb2.Artifact(name=name, sha256=_digest(content), size_bytes=len(content))
            for name, content in sorted(self.kept.items())
        ]
        found, token = _page(rows, request.page_token)
        return pb.ListArtifactsResponse(artifacts=found, next_page_token=token)

    def DownloadBlob(self, request, context):
        self._enter("DownloadBlob", context)
        by_digest = {_digest(content): content for content in self.kept.values()}
        if request.sha256 not in by_digest:
            self._abort(context, TunerError(Status.NOT_FOUND, "BLOB_NOT_FOUND", "no such file"))
        content = by_digest[request.sha256]
        cut = self.cut.pop(0) if self.cut else None
        for i in range(0, len(content), 3):
            if cut is not None and i >= 3 * cut:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the coordinator goes down")
            yield pb.DownloadBlobResponse(chunk=content[i : i + 3])

    def TailLogs(self, request, context):
        self._enter("TailLogs", context)
        cut = self.cut.pop(0) if self.cut else None
        for line in self.log[:cut]:
            yield pb.TailLogsResponse(lines=[line], attempt=1)
        if cut is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the coordinator goes down")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _rpc(status):
    from grpc_status import rpc_status

    return rpc_status.to_status(status)


def _page(items, token):
    start = int(token or 0)
    end = start + PAGE
    return items[start:end], str(end) if end < len(items) else ""


def keep_predictions(double: Double) -> dict[str, np.ndarray]:
    """Gives the double's three measurements of cnn/depth predictions, two in one file, and a truth.

    Returns:
        What was predicted, by measurement id.
    """
    chance = np.random.default_rng(0)
    predicted = {f"cnn/depth:1:{i}": chance.dirichlet(np.ones(3), 5) for i in range(3)}
    parts = {key: encode(values) for key, values in predicted.items()}
    for some in (list(parts)[:2], list(parts)[2:]):
        content = b"".join(parts[key] for key in some)
        double.kept[predictions_name(_digest(content))] = content
        offset = 0
        for key in some:
            double.places[key] = Place(_digest(content), offset, len(parts[key]))
            offset += len(parts[key])
    truth = Truth(np.array([0, 1, 2, 0, 1]), np.arange(5), ("a", "b", "c"))
    double.kept[TRUTH] = truth.to_bytes()
    return predicted


def serve(double: Double) -> tuple[grpc.Server, str]:
    """Starts the server on a port of its own; returns it and its address."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    tuner_service_pb2_grpc.add_TunerServiceServicer_to_server(double, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


__all__ = [
    "Double",
    "keep_predictions",
    "make_comparison",
    "make_curves",
    "make_events",
    "make_spec",
    "returns_pb2",
    "serve",
]
