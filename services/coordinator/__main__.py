"""Starts the coordinator: `python -m services.coordinator`."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
from typing import Any

import pydantic
import structlog

from services.coordinator.access.tls import runner_environment
from services.coordinator.gateway import ClusterGateway
from services.coordinator.logging_setup import set_up_logging
from services.coordinator.ray_gateway import RayGateway
from services.coordinator.server import Coordinator
from services.coordinator.settings import Settings
from services.coordinator.store.errors import StoreError
from services.coordinator.threads import answer_promptly
from tuner.errors import TunerError

log = structlog.get_logger(__name__)

USAGE = """\
python -m services.coordinator takes no arguments. Variables set it up: TUNER_COORDINATOR_LISTEN
and others, named in docs/deploy.md, docs/security.md, docs/operating.md and beside what they do."""


def main() -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status."""
    if len(sys.argv) > 1:
        print(USAGE, file=sys.stderr)  # noqa: T201
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        settings = Settings()
    except pydantic.ValidationError as error:
        for item in error.errors(include_url=False):
            name = "_".join(str(part) for part in item["loc"]).upper()
            variable = f"TUNER_COORDINATOR_{name}: " if name else ""
            print(f"{variable}{item['msg'].removeprefix('Value error, ')}", file=sys.stderr)  # noqa: T201
        return 2
    set_up_logging(settings.log_level)
    answer_promptly()
    return asyncio.run(_serve(settings))


def _at_the_end(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handles what no task has caught; gRPC may ask its poller once more after closing it."""
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno == errno.EBADF):
        loop.default_exception_handler(context)


async def _serve(settings: Settings) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    coordinator = Coordinator(settings, _ray)
    try:
        await coordinator.start()
        await stopping.wait()
    except (TunerError, StoreError, ValueError) as error:
        log.error("coordinator can't start", reason=str(error))  # noqa: TRY400 - no traceback
        return 1
    finally:
        loop.set_exception_handler(_at_the_end)
        await coordinator.stop()
    return 0


def _ray(settings: Settings, address: str) -> ClusterGateway:
    return RayGateway(
        settings.ray_dashboard, settings.runner_python, address, runner_environment(settings)
    )


if __name__ == "__main__":
    sys.exit(main())
