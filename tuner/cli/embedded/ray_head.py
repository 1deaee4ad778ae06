"""The Ray head of this machine."""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from tuner.cli.embedded import processes
from tuner.cli.embedded.home import Home
from tuner.cli.embedded.processes import Process

DASHBOARD_PORT = 8265
RUNNERS = 8
"""Drivers that may run at once: what the head offers of the resource that each asks for."""


def free_port(preferred: int) -> int:
    """Returns the preferred port of 127.0.0.1 where it is free, else another; 0 prefers none."""
    for port in dict.fromkeys((preferred, 0)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port of 127.0.0.1 is free")


def new_folder() -> str:
    """Returns a folder for Ray's sessions whose name is short.

    The sockets in it may have 107 characters with their path, so it can't be
    below any home folder.
    """
    short = Path("/tmp")
    return tempfile.mkdtemp(prefix="tuner-", dir=short if short.is_dir() else None)


def start(home: Home, port: int, folder: str, cpus: int | None, gpus: int | None) -> Process:
    """Starts the head with its dashboard on a port of this machine's own address.

    Raises:
        OSError: It can't be started.
    """
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        "--port=0",
        # Ray's client server can't be left out, and its usual port may be another head's.
        f"--ray-client-server-port={free_port(0)}",
        "--dashboard-agent-listen-port=0",
        "--include-dashboard=true",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={port}",
        f"--temp-dir={folder}",
        f"--resources={json.dumps({'runner': RUNNERS})}",
        "--disable-usage-stats",
    ]
    if cpus is not None:
        command.append(f"--num-cpus={cpus}")
    if gpus is not None:
        command.append(f"--num-gpus={gpus}")
    return processes.start(command, home.environment(), home.path, home.logs / "ray.log")


def answers(home: Home, dashboard: str) -> bool:
    """Tells whether the dashboard's API of jobs answers to our token."""
    token = home.ray_token.read_text(encoding="utf-8").strip()
    request = urllib.request.Request(
        f"{dashboard}/api/jobs/", headers={"Authorization": f"Bearer {token}"}
    )
    # This machine's own address is never behind a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
