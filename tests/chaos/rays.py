"""Ray as the chaos strikes it: a head that forgets, and the nodes that do the work."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.machinery import Service, environment, ray_token
from tests.processes import Seen
from tests.ray_head import free_ports

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
