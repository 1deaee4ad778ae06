"""Optuna's storages under the same load: finished trials from several processes.

Random sampling with four hyperparameters and one value, so that no sampler's own work counts.
A trial is counted once `tell` has returned, or `add_trial`, which writes a finished trial at
once and so is the least that Optuna can do for one.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

STUDY = "load"
_PORT_FILE = "port"
_SERVE = """
import socket, sys
from pathlib import Path
import optuna
from optuna.storages import RDBStorage, run_grpc_proxy_server
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
Path(sys.argv[2]).write_text(str(port))
run_grpc_proxy_server(RDBStorage(sys.argv[1]), host="127.0.0.1", port=port)
"""


def sqlite_url(folder: Path) -> str:
    """Returns the address of a new SQLite file, in WAL and durable at every commit like ours."""
    path = folder / "optuna.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return f"sqlite:///{path}"


def begin(url: str) -> None:
    """Makes the study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=optuna.storages.RDBStorage(url), study_name=STUDY)


@contextmanager
def proxy(folder: Path, url: str) -> Iterator[str]:
    """Yields the port of a GrpcStorageProxy's server over the storage, in a process of its own."""
    path = folder / _PORT_FILE
    server = subprocess.Popen([sys.executable, "-c", _SERVE, url, str(path)])
    try:
        deadline = time.monotonic() + 60
        while not path.exists() or not path.read_text():
            assert server.poll() is None and time.monotonic() < deadline, "no proxy"
            time.sleep(0.05)
        yield path.read_text()
    finally:
        server.kill()
        server.wait()


def record_trials(barrier: Barrier, url: str, port: str, at_once: bool, seconds: float) -> float:
    """Finishes trials for a while, through the proxy at the port where there is one.

    Returns:
        Trials a second.
    """
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution
    from optuna.storages import BaseStorage, GrpcStorageProxy, RDBStorage

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage: BaseStorage
    if port:
        storage = GrpcStorageProxy(host="127.0.0.1", port=int(port))
        storage.wait_server_ready(timeout=60)
    else:
        # Writers on SQLite would otherwise give up after five seconds of waiting for each other.
        options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
        storage = RDBStorage(url, engine_kwargs=options)
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.load_study(study_name=STUDY, storage=storage, sampler=sampler)
    distributions = {
        "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        "batch_size": CategoricalDistribution([32, 64, 128, 256]),
        "optimizer": CategoricalDistribution(["adam", "sgd"]),
    }
    params = {"learning_rate": 0.01, "weight_decay": 1e-4, "batch_size": 32, "optimizer": "adam"}
    barrier.wait(120)
    begun, finished = time.monotonic(), 0
    while time.monotonic() < begun + seconds:
        if at_once:
            study.add_trial(
                optuna.trial.create_trial(params=params, distributions=distributions, value=0.1)
            )
        else:
            study.tell(study.ask(distributions), 0.1)
        finished += 1
    return finished / (time.monotonic() - begun)
