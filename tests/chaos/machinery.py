"""What the chaos strikes: coordinators, a Ray head, Ray's workers, PostgreSQL; each a process tree.

A service is started with `start`, `up` tells whether it serves, and whoever finds its processes
gone starts it again: see `keeper`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.chaos.processes import Seen, descendants, kill_tree, look
from tests.coordinator.store.postgres_server import _find, _other_user
from tests.ray_head import free_ports

ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """Returns what a service is started in: nothing of other stacks."""
    ours = ("TUNER_", "RAY_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"} | more


class Service(ABC):
    """One service, started again and again in the same place.

    Attributes:
        name: What it is called in reports.
        log: Where its output goes.
        starts: How often it was started.
        since: When it was started last, by the monotonic clock.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.starts = 0
        self.since = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its first process, where it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def tree(self) -> list[Seen]:
        """Returns its processes, the first one first."""
        root = look(self.pid) if self.pid else None
        return [root, *descendants(root.pid)] if root else []

    def start(self) -> None:
        """Starts it; see `up` for whether it serves yet."""
        self.starts += 1
        self.since = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Returns what starts it."""

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Returns the environment that it is started in."""

    @abstractmethod
    def up(self) -> bool:
        """Tells whether it serves now."""

    def kill(self) -> bool:
        """SIGKILLs all of it; tells whether there was anything."""
        return self.pid is not None and kill_tree(self.pid) > 0

    def stop(self, patience: float = 40.0) -> None:
        """Ends it in order; kills what is left after so many seconds."""
        if self._process is None:
            return
        if self.pid is not None:
            self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(10)

    stop_signal = signal.SIGTERM


class Coordinator(Service):
    """One of the coordinators on the database."""

    def __init__(
        self,
        name: str,
        home: Path,
        port: int,
        database: str,
        dashboard: str,
        advertise: str,
        **settings: str,
    ) -> None:
        super().__init__(name, home / f"{name}.log")
        self.address = f"127.0.0.1:{port}"
        self._home = home
        self._settings = {
            "STATE_DIR": str(home / name),
            "DATABASE_URL": database,
            "ARTIFACTS_DIR": str(home / "artifacts"),
            "TOKEN_FILE": str(home / "token"),
            "LISTEN": self.address,
            "ADVERTISE": advertise,
            "RAY_DASHBOARD": dashboard,
            "RUNNER_PYTHON": sys.executable,
            # Attempts in a row may be struck down before they record anything.
            "MAX_ATTEMPTS": "12",
            **settings,
        }

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "services.coordinator"]

    def environment(self) -> Mapping[str, str]:
        settings = {f"TUNER_COORDINATOR_{k}": v for k, v in self._settings.items()}
        return environment(**settings, **ray_token(self._home))

    def up(self) -> bool:
        return self._serves("tuner.v1.TunerService")

    def leads(self) -> bool:
        """Tells whether it schedules."""
        return self._serves("tuner.v1.Scheduler")

    def _serves(self, service: str) -> bool:
        with grpc.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=2)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def ray_token(home: Path) -> dict[str, str]:
    """Returns the variables by which Ray's parts know each other."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(home / "ray-token")}


# A node that is silent for so long is dead to the head: 3 looks, 2 s apart. Ray's own 30 s would
# have most of the time go by in waiting for it.
_IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "4000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "3",
}


# Of those that Ray picks itself, nodes that start at the same time pick the same.
_PORTS = (
    "dashboard-agent-listen",
    "dashboard-agent-grpc",
    "node-manager",
    "object-manager",
    "runtime-env-agent",
    "metrics-export",
)


class RayNode(Service):
    """A node of the Ray cluster on this machine; killed, it is a machine that lost its power."""

    def __init__(self, name: str, home: Path, cpus: int, head: RayHead | None = None) -> None:
        super().__init__(name, home / f"{name}.log")
        self._home = home
        self._head = head
        self._cpus = cpus
        self._began = 0

    def command(self) -> Sequence[str]:
        assert self._head is not None
        return [
            *self._common(),
            f"--address={self._head.address}",
            '--resources={"runner": 4}',
        ]

    def _common(self) -> list[str]:
        return [
            *(str(Path(sys.executable).parent / "ray"), "start", "--block"),
            "--disable-usage-stats",
            "--node-ip-address=127.0.0.1",
            f"--num-cpus={self._cpus}",
            "--num-gpus=0",
            "--object-store-memory=150000000",
            # Else nodes of one machine take each other's.
            *("--min-worker-port=0", "--max-worker-port=0"),
            *(f"--{of}-port={port}" for of, port in zip(_PORTS, free_ports(6), strict=True)),
        ]

    def environment(self) -> Mapping[str, str]:
        return environment(**ray_token(self._home), **_IMPATIENT)

    def start(self) -> None:
        self._began = self.log.stat().st_size if self.log.exists() else 0
        super().start()

    @property
    def settled(self) -> bool:
        """Whether it isn't on its way up: two at a time would take the same sockets."""
        if self.pid is None:
            return True
        with self.log.open("rb") as log:
            log.seek(self._began)
            return b"Ray runtime started" in log.read()

    def stop(self, patience: float = 10.0) -> None:
        """Ends it at once: asked to, it may take most of a minute."""
        self.kill()
        super().stop(patience)

    def raylet(self) -> Seen | None:
        """Returns its raylet, once that is there."""
        found = [one for one in self.tree() if "/raylet/raylet " in one.command]
        return found[0] if found else None

    def up(self) -> bool:
        raylet = self.raylet()
        return raylet is not None and raylet.state != "T"


class RayHead(RayNode):
    """The head, which comes back on the same ports and remembers nothing. It runs no work."""

    def __init__(self, name: str, home: Path) -> None:
        super().__init__(name, home, cpus=0)
        self._gcs, self._dashboard, self._clients = free_ports(3)
        self.address = f"127.0.0.1:{self._gcs}"
        self.dashboard = f"http://127.0.0.1:{self._dashboard}"
        # Short, since a socket's path has 107 characters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-ray-", dir="/tmp"))

    def command(self) -> Sequence[str]:
        return [
            *self._common(),
            "--head",
            f"--port={self._gcs}",
            "--include-dashboard=true",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={self._dashboard}",
            f"--ray-client-server-port={self._clients}",
            f"--temp-dir={self.folder}",
        ]

    def up(self) -> bool:
        return self.ask("/api/jobs/") is not None

    def living_nodes(self) -> int:
        """Returns how many nodes the head thinks alive; 0 where it doesn't say."""
        found = self.ask("/api/v0/nodes")
        if not isinstance(found, dict):
            return 0
        nodes = found.get("data", {}).get("result", {}).get("result", [])
        return sum(node.get("state") == "ALIVE" for node in nodes)

    def lingering(self) -> list[str]:
        """Returns the names of the actors of jobs that live."""
        found = self.ask(
            "/api/v0/actors?detail=true&filter_keys=state&filter_predicates=%3D&filter_values=ALIVE"
        )
        if not isinstance(found, dict):
            return ["the head doesn't say"]
        actors = found["data"]["result"]["result"]
        return [a["name"] or a["class_name"] for a in actors if not _of_ray(a)]

    def ask(self, path: str) -> object:
        """Returns the dashboard's answer; None where there is none."""
        token = (self._home / "ray-token").read_text(encoding="utf-8")
        request = urllib.request.Request(
            f"{self.dashboard}{path}", headers={"Authorization": f"Bearer {token}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as answer:
                return json.loads(answer.read())
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def remove(self) -> None:
        """Removes its folder, after it has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _of_ray(actor: dict[str, str]) -> bool:
    """Tells whether an actor is the one that Ray runs a driver under."""
    return actor["class_name"] == "JobSupervisor"


class Postgres(Service):
    """A PostgreSQL server that syncs what it commits. Raises PostgresMissingError."""

    stop_signal = signal.SIGINT  # fast: sessions are ended

    def __init__(self, name: str, home: Path) -> None:
        super().__init__(name, home / f"{name}.log")
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-pg-", dir="/tmp"))
        self._postgres = _find("postgres")
        self._prefix: list[str] = []
        if os.geteuid() == 0:
            user = _other_user()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            # PostgreSQL refuses to run as root.
            self._prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
            self._prefix.append("--clear-groups")
        self.url = f"postgresql://tuner@/tuner?host={self.folder}"

    def prepare(self) -> None:
        """Makes the data folder."""
        subprocess.run(
            [*self._prefix, _find("initdb"), "-D", self._data, "-U", "tuner", "-A", "trust"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def command(self) -> Sequence[str]:
        where = ["-D", self._data, "-c", "listen_addresses=", "-k", str(self.folder)]
        return [*self._prefix, self._postgres, *where]

    def environment(self) -> Mapping[str, str]:
        return environment()

    def up(self) -> bool:
        where = f"host={self.folder} user=tuner dbname=postgres connect_timeout=2"
        try:
            with psycopg.connect(where, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def make_database(self) -> None:
        """Makes the coordinators' database."""
        where = f"host={self.folder} user=tuner dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute("CREATE DATABASE tuner")

    def one(self, query: str) -> object:
        """Returns the one value that a query of the coordinators' database gives, or None."""
        with psycopg.connect(f"host={self.folder} user=tuner dbname=tuner") as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None

    def kill_postmaster(self) -> bool:
        """SIGKILLs its first process alone: the others notice, and end in the middle of it."""
        return any(one.send(signal.SIGKILL) for one in self.tree()[:1])

    def stop_at_once(self) -> bool:
        """Has it end without a word to anybody: its immediate shutdown."""
        return any(one.send(signal.SIGQUIT) for one in self.tree()[:1])

    def remove(self) -> None:
        """Removes its folder, after it has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)
