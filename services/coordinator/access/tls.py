"""The server's side of TLS: its certificate, and the authority of its clients'.

Files are read once, at the start: who renews a certificate restarts the coordinator, which
costs no job anything.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from services.coordinator.settings import Settings
from tuner.errors import Status, TunerError


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Returns what the server proves itself with; None where it speaks plaintext.

    With `tls_client_ca` set, clients must prove themselves by a certificate of that authority,
    and then show their token as ever.

    Raises:
        TunerError: FAILED_PRECONDITION where a file can't be read, or isn't what it should be.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    pair = (
        read_pem(settings.tls_key, "TUNER_COORDINATOR_TLS_KEY", "PRIVATE KEY"),
        read_pem(settings.tls_cert, "TUNER_COORDINATOR_TLS_CERT", "CERTIFICATE"),
    )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert, settings.tls_key, password=""
        )
    except ssl.SSLError as error:
        raise _unusable(
            f"{settings.tls_cert} and {settings.tls_key} don't go together: {error.reason}; give a "
            "certificate and its own unencrypted key"
        ) from error
    if settings.tls_client_ca is None:
        return grpc.ssl_server_credentials([pair])
    authority = read_pem(settings.tls_client_ca, "TUNER_COORDINATOR_TLS_CLIENT_CA", "CERTIFICATE")
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=True)


def runner_environment(settings: Settings) -> dict[str, str]:
    """Returns what a driver is told of TLS: nothing that is secret, for anyone may read it.

    Raises:
        TunerError: FAILED_PRECONDITION where the authority's file can't be read.
    """
    if settings.tls_cert is None:
        return {}
    told = {"TUNER_RUNNER_TLS": "true"}
    if settings.tls_ca is not None:
        authority = read_pem(settings.tls_ca, "TUNER_COORDINATOR_TLS_CA", "CERTIFICATE")
        told["TUNER_RUNNER_TLS_CA"] = authority.decode(errors="replace")
    if settings.tls_runner_cert is not None and settings.tls_runner_key is not None:
        told["TUNER_RUNNER_TLS_CERT"] = str(settings.tls_runner_cert)
        told["TUNER_RUNNER_TLS_KEY"] = str(settings.tls_runner_key)
    return told


def read_pem(path: Path, variable: str, kind: str) -> bytes:
    """Returns a file of certificates or of a key.

    Args:
        path: The file.
        variable: What named it.
        kind: What must stand in it, as PEM has it.

    Raises:
        TunerError: FAILED_PRECONDITION where it can't be read or has nothing of the kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(f"{variable}: {path} can't be read: {error.strerror}") from error
    if f"{kind}-----".encode() not in content:
        raise _unusable(f"{variable}: {path} has no {kind.lower()} in PEM (BEGIN {kind}) in it")
    return content


def _unusable(message: str) -> TunerError:
    return TunerError(Status.FAILED_PRECONDITION, "TLS_UNUSABLE", message)
