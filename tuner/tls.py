"""TLS of a connection to a coordinator: what it is trusted by, and why it may not come about."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from tuner.errors import Status, TunerError, invalid

PROBE_SECONDS = 1.0

CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE = "TUNER_TLS_CA", "TUNER_TLS_CERT", "TUNER_TLS_KEY"
SYSTEM_VARIABLE = "TUNER_TLS"

_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Tls:
    """What a connection is trusted by, and what it shows.

    Attributes:
        ca: Certificates of the authorities, in PEM; None for those of this system.
        cert: File of the certificate to show, in PEM; None for none.
        key: File of its private key.
    """

    ca: bytes | None = None
    cert: Path | None = None
    key: Path | None = None


def find_tls(ca: str | Path | None = None) -> Tls | None:
    """Returns how the coordinator is to be trusted; None for plaintext.

    Args:
        ca: File of its authority's certificate; TUNER_TLS_CA where omitted. Where that isn't
            set either, TUNER_TLS=true trusts this system's authorities.

    Raises:
        TunerError: INVALID_ARGUMENT where a file can't be read, or a certificate lacks its key.
    """
    named = ca or os.environ.get(CA_VARIABLE, "")
    system = os.environ.get(SYSTEM_VARIABLE, "").strip().lower()
    if system not in _YES + _NO:
        raise invalid(SYSTEM_VARIABLE, f"is {system!r}; set it to true or false")
    cert, key = (os.environ.get(v, "") for v in (CERT_VARIABLE, KEY_VARIABLE))
    if bool(cert) != bool(key):
        problem = f"goes with {KEY_VARIABLE}: set both, or neither"
        raise invalid(CERT_VARIABLE, problem)
    if not named and system not in _YES:
        if cert:
            problem = f"is set, but TLS isn't: set {CA_VARIABLE}, or {SYSTEM_VARIABLE}=true"
            raise invalid(CERT_VARIABLE, problem)
        return None
    field = "tls_ca" if ca else CA_VARIABLE
    return Tls(
        _read(Path(named), field) if named else None,
        Path(cert).expanduser() if cert else None,
        Path(key).expanduser() if key else None,
    )


def open_channel(
    target: str, tls: Tls | None, options: Sequence[tuple[str, object]]
) -> grpc.Channel:
    """Returns a channel to a coordinator; nothing is called yet.

    Raises:
        TunerError: INVALID_ARGUMENT where a file can't be read.
    """
    if tls is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials(tls), options=options)


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Returns what gRPC trusts and shows. Raises TunerError as `open_channel` does."""
    key = None if tls.key is None else _read(tls.key, KEY_VARIABLE)
    cert = None if tls.cert is None else _read(tls.cert, CERT_VARIABLE)
    return grpc.ssl_channel_credentials(tls.ca or _system_authorities(), key, cert)


def mismatch(address: str, tls: Tls | None) -> TunerError | None:
    """Tells what keeps two sides that can reach each other from speaking; None for nothing known.

    gRPC says "connection reset" of all of it, so a handshake is tried beside it.

    Args:
        address: "host:port".
        tls: What the connection was tried with.
    """
    problem = _problem(address, tls)
    if not problem:
        return None
    return TunerError(Status.FAILED_PRECONDITION, "TLS_MISMATCH", problem)


def _problem(address: str, tls: Tls | None) -> str:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        with socket.create_connection((host, int(port)), PROBE_SECONDS) as plain:
            plain.settimeout(PROBE_SECONDS)
            with _context(tls).wrap_socket(plain, server_hostname=host) as secured:
                if tls is None:
                    return (
                        f"the coordinator at {address} speaks TLS; name its authority's "
                        f"certificate by --tls-ca or {CA_VARIABLE}, or set {SYSTEM_VARIABLE}=true "
                        "where this system knows the authority"
                    )
                return "" if _goes_on(secured) else _hung_up(address, tls)
    except ssl.SSLCertVerificationError as error:
        return (
            f"the certificate of the coordinator at {address} isn't trusted: "
            f"{error.verify_message.rstrip('.')}; name its authority's by --tls-ca or {CA_VARIABLE}"
        )
    except ssl.SSLError as error:
        return _refused(address, tls, error)
    except (OSError, ValueError):
        # It can't be reached, or says nothing: no matter of TLS.
        return ""


def _goes_on(secured: ssl.SSLSocket) -> bool:
    """Tells whether the server greets, as HTTP/2 does at once.

    One that misses a certificate, or refuses it, hangs up after the handshake, with an alert or
    without.
    """
    try:
        return bool(secured.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False


def _hung_up(address: str, tls: Tls) -> str:
    if tls.cert is not None:
        return f"the coordinator at {address} doesn't accept the certificate {tls.cert}"
    return (
        f"the coordinator at {address} wants a certificate of its clients, too (mutual TLS); "
        f"set {CERT_VARIABLE} and {KEY_VARIABLE}"
    )


def _refused(address: str, tls: Tls | None, error: ssl.SSLError) -> str:
    if tls is None:
        # It answered no handshake, so it speaks no TLS either.
        return ""
    reason = error.reason or ""
    if "ALERT" in reason:
        return _hung_up(address, tls)
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return (
            f"the coordinator at {address} speaks no TLS; leave out --tls-ca, and unset "
            f"{CA_VARIABLE} and {SYSTEM_VARIABLE}"
        )
    return ""


def _context(tls: Tls | None) -> ssl.SSLContext:
    if tls is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        # Nothing is sent: the question is only whether the other side knows TLS.
        context.verify_mode = ssl.CERT_NONE
    else:
        known = tls.ca or _system_authorities()
        context = ssl.create_default_context(
            cadata=known.decode("ascii", "ignore") if known else None
        )
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
    context.set_alpn_protocols(["h2"])
    return context


def _system_authorities() -> bytes | None:
    """Returns this system's authorities; None where it names none: gRPC brings some along."""
    file = ssl.get_default_verify_paths().cafile
    return None if file is None else Path(file).read_bytes()


def _read(path: Path, field: str) -> bytes:
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise invalid(field, f"{path} can't be read: {error.strerror}") from error
    if b"-----BEGIN " not in content:
        raise invalid(field, f"{path} is no PEM file: it has no BEGIN line")
    return content
