"""The files that a job makes, over the wire, and what they are called."""

from __future__ import annotations

import re

from tuner.errors import invalid
from tuner.jobs import Artifact
from tuner.v1 import record_pb2 as pb
from tuner.wire.record import time_from_wire, time_to_wire

TRUTH = "truth.npz"
"""The name of the file that holds what the test examples are."""

MOST_CHARACTERS = 200

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=+-]*(/[A-Za-z0-9_][A-Za-z0-9._=+-]*)*")


def predictions_name(sha256: str) -> str:
    """Returns the name of a file of predictions."""
    return f"predictions/{sha256}"


def check_name(name: str, field: str) -> str:
    """Returns the name, judged: one that is safe as a path below any folder.

    Raises:
        TunerError: INVALID_ARGUMENT, naming the field, where it isn't.
    """
    if len(name) > MOST_CHARACTERS or not _NAME.fullmatch(name):
        raise invalid(
            field,
            f"{name[:MOST_CHARACTERS]!r} can't be a file's name; give a relative path of letters, "
            f"digits and ._=+- of at most {MOST_CHARACTERS} characters, no part of which begins "
            "with a dot",
            "INVALID_NAME",
        )
    return name


def artifact_to_wire(artifact: Artifact) -> pb.Artifact:
    """Returns the file's entry as a message."""
    return pb.Artifact(
        name=artifact.name,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        create_time=time_to_wire(artifact.create_time),
    )


def artifact_from_wire(message: pb.Artifact) -> Artifact:
    """Returns the file's entry."""
    return Artifact(
        message.name, message.sha256, message.size_bytes, time_from_wire(message, "create_time")
    )
