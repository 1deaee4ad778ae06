"""Tells by its exit status whether a service of this container answers.

python healthcheck.py grpc 127.0.0.1:50551
python healthcheck.py http http://127.0.0.1:8265/api/gcs_healthz

A coordinator with a certificate (TUNER_COORDINATOR_TLS_CERT) is asked over TLS, trusted by that
very certificate and under the name in it, for a container asks itself. Where it wants one of its
clients, too, TUNER_TLS_CERT and TUNER_TLS_KEY are shown.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc

SECONDS = 5.0
"""How long an answer may take."""


def grpc_serves(address: str) -> str:
    """Returns "" where the server at "host:port" says that it serves, else what it says."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    try:
        channel = _channel(address)
    except OSError as error:
        return f"{address}: {error}"
    with channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=SECONDS
            )
        except grpc.RpcError as error:
            return f"{address}: {error.code().name}: {error.details()}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    return f"{address}: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"


def _channel(address: str) -> grpc.Channel:
    """Returns a channel to the server. Raises OSError where no handshake comes about."""
    import grpc

    certificate = os.environ.get("TUNER_COORDINATOR_TLS_CERT", "")
    if not certificate:
        return grpc.insecure_channel(address)
    shown = [os.environ.get(name, "") for name in ("TUNER_TLS_KEY", "TUNER_TLS_CERT")]
    key, chain = (Path(name).read_bytes() if name else None for name in shown)
    credentials = grpc.ssl_channel_credentials(Path(certificate).read_bytes(), key, chain)
    name = ("grpc.ssl_target_name_override", _name(address, certificate))
    return grpc.secure_channel(address, credentials, options=[name])


def _name(address: str, certificate: str) -> str:
    """Returns the first name of the certificate that the server shows, once that is trusted."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), SECONDS) as plain,
        context.wrap_socket(plain) as secured,
    ):
        names = (secured.getpeercert() or {}).get("subjectAltName", ())
    return next((str(name[1]) for name in names), host)


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
