"""The coordinator, put together: started, and stopped in order."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.coordinator.access.audit import Audit
from services.coordinator.access.guard import Guard
from services.coordinator.access.limits import SERVER_OPTIONS, Streams
from services.coordinator.access.tls import server_credentials
from services.coordinator.admission import FirstComeFirstServed
from services.coordinator.api.interceptor import Gate
from services.coordinator.api.runner_service import RunnerService
from services.coordinator.api.tuner_service import TunerService
from services.coordinator.artifacts import ArtifactStore
from services.coordinator.core import Core
from services.coordinator.curves import Curves
from services.coordinator.driver_logs import DriverLogs
from services.coordinator.gateway import ClusterGateway
from services.coordinator.hints import Hints
from services.coordinator.scheduler import Scheduler
from services.coordinator.secret import client_token, hashed
from services.coordinator.settings import Settings
from services.coordinator.store import open_store
from tuner.errors import Status, TunerError
from tuner.v1.runner_service_pb2_grpc import add_RunnerServiceServicer_to_server
from tuner.v1.tuner_service_pb2_grpc import add_TunerServiceServicer_to_server

log = structlog.get_logger(__name__)

SERVICES = ("tuner.v1.TunerService", "tuner.v1.RunnerService")
ADDRESS_FILE = "coordinator.json"
LOCK_FILE = "coordinator.lock"
GRACE_SECONDS = 5.0

_OPTIONS = (
    # Without it a second server on the same port would share its calls silently.
    ("grpc.so_reuseport", 0),
    # Long streams pass through address translation, which forgets silent ones.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

MakeGateway = Callable[[Settings, str], ClusterGateway]


class Coordinator:
    """The server and all its parts.

    Attributes:
        address: "host:port" that it is bound to; empty before `start`.
        core: The parts that others are built on; None before `start`.
    """

    def __init__(self, settings: Settings, make_gateway: MakeGateway) -> None:
        """Takes the settings, and what makes the gateway out of them and the address."""
        self._settings = settings
        self._make_gateway = make_gateway
        # What `stop` does, last first.
        self._ends = AsyncExitStack()
        self.address = ""
        self.core: Core | None = None

    async def start(self) -> None:
        """Opens the store, binds, serves and schedules.

        Raises:
            TunerError: FAILED_PRECONDITION where another coordinator has the
                state folder, or the address is taken.
            StoreError: The database can't be opened.
        """
        settings, ends = self._settings, self._ends
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        ends.callback(_locked(settings.state_dir / LOCK_FILE).close)
        token = client_token(settings.token_path)
        store = await asyncio.to_thread(open_store, settings.store_url)
        ends.callback(store.close)
        guard = Guard(store, hashed(token))
        audit = Audit(store)
        ends.push_async_callback(audit.stop)
        audit.start()
        gate = Gate(guard, audit, Streams(settings.max_streams))
        server = grpc.aio.server(
            interceptors=[gate],
            options=(*_OPTIONS, *SERVER_OPTIONS),
            maximum_concurrent_rpcs=settings.max_calls,
        )
        self.address = _bind(server, settings)
        gateway = self._make_gateway(settings, settings.advertise or self.address)
        ends.callback(gateway.close)
        artifacts = ArtifactStore(settings.artifacts_path)
        self.core = core = Core(settings, store, artifacts, gateway, Hints())
        await self._serve(server, core, guard)
        address_file = settings.state_dir / ADDRESS_FILE
        _write_address(address_file, self.address)
        ends.callback(address_file.unlink, missing_ok=True)
        log.info("coordinator serves", address=self.address, state=str(settings.state_dir))

    async def _serve(self, server: grpc.aio.Server, core: Core, guard: Guard) -> None:
        logs = DriverLogs(core.store, core.artifacts, core.gateway, core.hints)
        policy = FirstComeFirstServed(core.settings.max_running_jobs)
        curves = Curves(core.store, core.artifacts)
        self._ends.callback(curves.close)
        scheduler = Scheduler(core, policy, logs)
        self._ends.push_async_callback(scheduler.stop, GRACE_SECONDS)
        service = TunerService(core, policy, curves, logs, guard)
        add_TunerServiceServicer_to_server(service, server)
        add_RunnerServiceServicer_to_server(RunnerService(core), server)
        healths = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(healths, server)
        reflection.enable_server_reflection(
            [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server
        )
        await server.start()
        self._ends.push_async_callback(server.stop, GRACE_SECONDS)
        for name in ("", *SERVICES):
            await healths.set(name, health_pb2.HealthCheckResponse.SERVING)
        scheduler.start()
        # First of all, so that no call waits for news while the server waits for calls.
        self._ends.callback(core.hints.close)
        self._ends.push_async_callback(healths.enter_graceful_shutdown)

    async def stop(self) -> None:
        """Ends watchers, lets calls finish, lets go of jobs (they run on), closes the store."""
        log.info("coordinator stops")
        await self._ends.aclose()


def _bind(server: grpc.aio.Server, settings: Settings) -> str:
    host, _, _ = settings.listen.rpartition(":")
    credentials = server_credentials(settings)
    try:
        if credentials is None:
            port = server.add_insecure_port(settings.listen)
        else:
            port = server.add_secure_port(settings.listen, credentials)
    except RuntimeError as error:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "ADDRESS_IN_USE",
            f"can't listen on {settings.listen}; another program may have that port. Set "
            "TUNER_COORDINATOR_LISTEN to another, or its port to 0 to have one picked",
        ) from error
    return f"{host}:{port}"


def _locked(path: Path) -> IO[str]:
    """Returns the lock file, locked until it is closed: one coordinator a state folder."""
    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "STATE_IN_USE",
            f"another coordinator has the state folder {path.parent}; stop it, or set "
            "TUNER_COORDINATOR_STATE_DIR to another folder",
        ) from error
    return file


def _write_address(path: Path, address: str) -> None:
    """Tells where the coordinator is. A reader sees the whole file or the former one."""
    temporary = path.with_suffix(".part")
    temporary.write_text(
        json.dumps({"address": address, "pid": os.getpid()}) + "\n", encoding="utf-8"
    )
    temporary.replace(path)
