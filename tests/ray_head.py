"""A real head of Ray in a process of its own, for tests.

`ray.init("local")` forks from the process of the tests, where threads of gRPC may hold locks
that the fork never gets back: Ray then waits in vain for its raylet.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import kill_tree

# Else a token that some local Ray has left in the home folder switches it on.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


@dataclass(frozen=True)
class Head:
    """Where it is.

    Attributes:
        address: What `ray.init` takes.
        dashboard: The dashboard's URL.
        pid: The process that has started all the others.
    """

    address: str
    dashboard: str
    pid: int

    def kill(self) -> None:
        """Ends it like a power cut: everything that runs on it, at once."""
        kill_tree(self.pid)


@contextmanager
def ray_head(cpus: int, ports: Sequence[int] = ()) -> Iterator[Head]:
    """Starts a head, and ends it with all that it started. It may not be up yet.

    Args:
        cpus: Cores that it offers.
        ports: Five that nobody listens on, to be where an earlier one was; free ones where empty.
    """
    # Short, since a socket's path has 107 characters at most.
    folder = tempfile.mkdtemp(prefix="ray", dir=tempfile.gettempdir())
    port, dashboard, agent, client, agent_grpc = ports or free_ports(5)
    arguments = [
        "start", "--head", "--block", "--disable-usage-stats", f"--num-cpus={cpus}",
        "--num-gpus=0", "--node-ip-address=127.0.0.1", "--resources", '{"runner": 2}',
        f"--port={port}", f"--dashboard-port={dashboard}", f"--temp-dir={folder}",
        f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}",
        f"--dashboard-agent-grpc-port={agent_grpc}",
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    with (Path(folder) / "start.log").open("w") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "ray"), *arguments],
            env=environment | ENVIRONMENT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Head(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
