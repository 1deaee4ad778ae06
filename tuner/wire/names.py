"""Resource names (AIP-122), read and written in this one place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tuner.errors import TunerError, invalid

ID = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""What a namespace or a job id looks like: 1 to 63 of a-z, 0-9 and inner dashes."""

_ID = re.compile(ID)
_PARENT = re.compile(rf"namespaces/({ID}|-)")
_JOB = re.compile(rf"namespaces/({ID})/jobs/({ID})")
_TOKEN = re.compile(r"tokens/([a-z0-9]{1,63})")


@dataclass(frozen=True)
class JobName:
    """The name of a job."""

    namespace: str
    job: str

    def __str__(self) -> str:
        return f"namespaces/{self.namespace}/jobs/{self.job}"

    @property
    def parent(self) -> str:
        """The name of its namespace."""
        return namespace_name(self.namespace)

    @classmethod
    def parse(cls, text: str, field: str = "name") -> JobName:
        """Reads a job's name.

        Raises:
            TunerError: INVALID_ARGUMENT, naming the field, where it is none.
        """
        match = _JOB.fullmatch(text)
        if match is None:
            raise _wrong(field, text, "namespaces/NAMESPACE/jobs/JOB")
        return cls(match[1], match[2])


def namespace_name(namespace: str) -> str:
    """Returns the name of a namespace, or of all of them where it is "-"."""
    return f"namespaces/{namespace}"


def parse_parent(text: str, field: str = "parent") -> str | None:
    """Reads "namespaces/NAMESPACE".

    Returns:
        The namespace, or None for "namespaces/-", which is all of them.

    Raises:
        TunerError: INVALID_ARGUMENT, naming the field, where it is neither.
    """
    match = _PARENT.fullmatch(text)
    if match is None:
        raise _wrong(field, text, "namespaces/NAMESPACE")
    return None if match[1] == "-" else match[1]


def token_name(token_id: str) -> str:
    """Returns the name of a token."""
    return f"tokens/{token_id}"


def parse_token_name(text: str, field: str = "name") -> str:
    """Returns the id in a token's name. Raises TunerError, INVALID_ARGUMENT, where it is none."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise _wrong(field, text, "tokens/TOKEN")
    return match[1]


def check_id(text: str, field: str) -> str:
    """Returns the id, judged. Raises TunerError, INVALID_ARGUMENT, where it can't be one."""
    if not _ID.fullmatch(text):
        raise _wrong(field, text, "1 to 63 of a-z, 0-9 and inner dashes")
    return text


def _wrong(field: str, text: str, right: str) -> TunerError:
    return invalid(field, f"{text[:200]!r} is not of the form {right}", "INVALID_NAME")
