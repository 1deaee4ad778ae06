"""Tells by its exit status whether a service of this container answers.

python healthcheck.py grpc 127.0.0.1:50551
python healthcheck.py http http://127.0.0.1:8265/api/gcs_healthz
"""

from __future__ import annotations

import sys
import urllib.request

SECONDS = 5.0
"""How long an answer may take."""


def grpc_serves(address: str) -> str:
    """Returns "" where the server at "host:port" says that it serves, else what it says."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=SECONDS
            )
        except grpc.RpcError as error:
            return f"{address}: {error.code().name}: {error.details()}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    return f"{address}: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"


def http_answers(url: str) -> str:
    """Returns "" where the page is there, else why not."""
    # A container's own address is never behind a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=SECONDS):
            return ""
    except OSError as error:
        return f"{url}: {error}"


CHECKS = {"grpc": grpc_serves, "http": http_answers}


def main(arguments: list[str]) -> int:
    """Runs one check; returns 0 where it passes, 1 where it doesn't, 2 for misuse."""
    if len(arguments) != 2 or arguments[0] not in CHECKS:
        sys.stderr.write(__doc__ or "")
        return 2
    problem = CHECKS[arguments[0]](arguments[1])
    sys.stdout.write(problem)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
