"""The coordinator, put together: started, and stopped in order."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.coordinator.access.audit import Audit
from services.coordinator.access.guard import Guard
from services.coordinator.access.limits import SERVER_OPTIONS, Streams
from services.coordinator.access.tls import server_credentials
from services.coordinator.api.interceptor import Gate
from services.coordinator.api.runner_service import RunnerService
from services.coordinator.api.tuner_service import TunerService
from services.coordinator.artifacts import ArtifactStore
from services.coordinator.core import Core
from services.coordinator.curves import Curves
from services.coordinator.database_health import DatabaseHealth
from services.coordinator.driver_logs import DriverLogs
from services.coordinator.gateway import ClusterGateway
from services.coordinator.health import SERVICES, Health
from services.coordinator.hints import Hints
from services.coordinator.leader import Leader, Together
from services.coordinator.locks import locked
from services.coordinator.scheduler import Scheduler
from services.coordinator.secret import client_token, hashed
from services.coordinator.settings import Settings
from services.coordinator.store import open_store
from services.coordinator.webhooks import Webhooks
from tuner.errors import Status, TunerError
from tuner.v1.runner_service_pb2_grpc import add_RunnerServiceServicer_to_server
from tuner.v1.tuner_service_pb2_grpc import add_TunerServiceServicer_to_server

log = structlog.get_logger(__name__)

ADDRESS_FILE = "coordinator.json"
GRACE_SECONDS = 5.0

_OPTIONS = (
    # Without it a second server on the same port would share its calls silently.
    ("grpc.so_reuseport", 0),
    # Long streams pass through address translation, which forgets silent ones.
    ("grpc.keepalive_time_ms", 30_000),
    # Callers notice by pings that a coordinator is frozen; see tuner.channel.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    # On a busy machine they arrive in heaps; that is no abuse that a connection should end for.
    ("grpc.http2.max_ping_strikes", 0),
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
        ends.callback(locked(settings).close)
        if not settings.is_sqlite and settings.artifacts_dir is None:
            log.warning(
                "TUNER_COORDINATOR_ARTIFACTS_DIR isn't set: files stay in this coordinator's own "
                "state folder, and another one on this database couldn't read them",
                folder=str(settings.artifacts_path),
            )
        token = client_token(settings.token_path)
        store = await asyncio.to_thread(open_store, settings.store_url, migrates=settings.migrate)
        ends.callback(store.close)
        guard = Guard(store, hashed(token))
        audit = Audit(store)
        ends.push_async_callback(audit.stop)
        audit.start()
        database = DatabaseHealth()
        gate = Gate(guard, audit, Streams(settings.max_streams), database)
        server = grpc.aio.server(
            interceptors=[gate],
            options=(*_OPTIONS, *SERVER_OPTIONS),
            maximum_concurrent_rpcs=settings.max_calls,
        )
        self.address = _bind(server, settings)
        gateway = self._make_gateway(settings, settings.advertise or self.address)
        ends.callback(gateway.close)
        artifacts = ArtifactStore(settings.artifacts_path)
        self.core = core = Core(settings, store, artifacts, gateway, Hints(), database)
        await self._serve(server, core, guard)
        address_file = settings.state_dir / ADDRESS_FILE
        _write_address(address_file, self.address, tls=settings.tls_cert is not None)
        ends.callback(address_file.unlink, missing_ok=True)
        log.info("coordinator serves", address=self.address, state=str(settings.state_dir))

    async def _serve(self, server: grpc.aio.Server, core: Core, guard: Guard) -> None:
        logs = DriverLogs(core.store, core.artifacts, core.gateway, core.hints)
        curves = Curves(core.store, core.artifacts)
        self._ends.callback(curves.close)
        health_service = Health()
        leader = Leader(
            core,
            lambda led: Together(Scheduler(led, logs), Webhooks(led)),
            health_service.say,
            _holder(self.address),
            alone=core.settings.is_sqlite,
        )
        service = TunerService(core, curves, logs, guard)
        add_TunerServiceServicer_to_server(service, server)
        add_RunnerServiceServicer_to_server(RunnerService(core), server)
        health_pb2_grpc.add_HealthServicer_to_server(health_service.servicer, server)
        reflection.enable_server_reflection(
            [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server
        )
        await server.start()
        self._ends.push_async_callback(server.stop, GRACE_SECONDS)
        await health_service.say(database=True, leads=False)
        leader.start()
        # While calls are still answered: another one takes over at once.
        self._ends.push_async_callback(leader.stop, GRACE_SECONDS)
        # Before that, so that no call waits for news while the server waits for calls.
        self._ends.callback(core.hints.close)
        self._ends.push_async_callback(health_service.servicer.enter_graceful_shutdown)

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


def _holder(address: str) -> str:
    """Returns what this coordinator is known by: where it is, and which of its lives."""
    host, _, port = address.rpartition(":")
    name = socket.gethostname() if host in ("0.0.0.0", "[::]") else host
    return f"{name}:{port} {secrets.token_hex(3)}"


def _write_address(path: Path, address: str, *, tls: bool) -> None:
    """Tells where the coordinator is. A reader sees the whole file or the former one."""
    temporary = path.with_suffix(".part")
    temporary.write_text(
        json.dumps({"address": address, "pid": os.getpid(), "tls": tls}) + "\n", encoding="utf-8"
    )
    temporary.replace(path)
