"""The coordinator of this machine, beside the Ray head."""

from __future__ import annotations

import json
import sys

import grpc

from tuner.cli.embedded import processes
from tuner.cli.embedded.home import Home
from tuner.cli.embedded.processes import Process


def start(home: Home, dashboard: str, listen: str) -> Process:
    """Starts the coordinator for the Ray head with that dashboard.

    Raises:
        OSError: It can't be started.
    """
    environment = home.environment() | {
        "TUNER_COORDINATOR_STATE_DIR": str(home.path),
        # Whoever brings one up here could run the code anyway.
        "TUNER_COORDINATOR_ALLOW_USER_CODE": "true",
        "TUNER_COORDINATOR_RAY_DASHBOARD": dashboard,
        "TUNER_COORDINATOR_LISTEN": listen,
        "TUNER_COORDINATOR_RUNNER_PYTHON": sys.executable,
    }
    command = [sys.executable, "-m", "services.coordinator"]
    return processes.start(command, environment, home.path, home.logs / "coordinator.log")


def address(home: Home, process: Process) -> str | None:
    """Returns where the coordinator listens; None while it doesn't say so."""
    try:
        state = json.loads((home.path / "coordinator.json").read_text(encoding="utf-8"))
        return str(state["address"]) if state["pid"] == process.pid else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def serves(home: Home, process: Process) -> bool:
    """Tells whether the coordinator says of itself that it serves."""
    from grpc_health.v1 import health_pb2

    where = address(home, process)
    if where is None:
        return False
    with grpc.insecure_channel(where) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
