"""Files from elsewhere: https, S3, Google Cloud Storage, through fsspec."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import fsspec

from tuner.datasets.base import DataError
from tuner.datasets.content import MAX_BYTES

CHUNK_BYTES = 2**20

_SILENCE_SECONDS = 60.0

_NEEDS = {"s3": "s3fs", "gs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}


def download(
    url: str, file: Path, shown: str = "", *, redirects: bool = False, md5: str = ""
) -> None:
    """Writes what an address holds into a file.

    Args:
        url: The address: https, http, s3 or gs.
        file: The file, which is made or replaced.
        shown: What is asked for, for error messages; the address where empty.
        redirects: Whether an answer may point elsewhere; never where addresses are
            judged, for then it would point out of what is allowed.
        md5: The content's MD5 in hexadecimal, where it is published; a damaged copy is
            told by it, not a forged one.

    Raises:
        DataError: The address can't be reached, holds nothing, more than `MAX_BYTES`, or
            something else than was published; or this node lacks the library for it.
    """
    shown = shown or url
    try:
        with _opened(url, redirects) as stream, file.open("wb") as out:
            found = _copied(stream, out, shown)
    except DataError:
        raise
    except ImportError as error:
        library = _NEEDS[urlsplit(url).scheme]
        raise DataError(
            f"{shown}: the cluster's nodes lack what reads such addresses; its operator can "
            f"install it: pip install {library}"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{shown}: there is no such file, or it may not be read") from error
    except Exception as error:  # each file system has errors of its own
        if answer := getattr(error, "status", None):
            problem = f"the server answers {answer}; is there such a file, or data set?"
            raise DataError(f"{shown}: {problem}") from error
        said = str(error) or type(error).__name__
        raise DataError(
            f"{shown}: can't be reached from the cluster ({said}); if it has no network, put the "
            "file below a data root, or upload it"
        ) from error
    if md5 and found != md5:
        raise DataError(
            f"{shown}: isn't what was published: its MD5 is {found}, not {md5}; try "
            "again, or ask the cluster's operator for another mirror"
        )


def _copied(stream: Any, out: IO[bytes], shown: str) -> str:
    """Writes the stream's content, and returns its MD5."""
    status = getattr(getattr(stream, "r", None), "status", 200)
    if status != 200:
        raise DataError(
            f"{shown}: the server answers {status} and points elsewhere, which isn't followed; "
            "give the address where the file is"
        )
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while chunk := stream.read(CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_BYTES:
            raise DataError(f"{shown}: is larger than the {MAX_BYTES:,} bytes that are read")
        digest.update(chunk)
        out.write(chunk)
    return digest.hexdigest()


def _opened(url: str, redirects: bool) -> Any:
    """Returns a stream of the content as it comes, without asking for its size beforehand."""
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https"):
        return fsspec.filesystem(scheme).open(url, "rb")
    import aiohttp

    silence = aiohttp.ClientTimeout(
        total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS
    )
    system = fsspec.filesystem(
        scheme, allow_redirects=redirects, client_kwargs={"timeout": silence}
    )
    # With some size given, none is asked for, and with no block the content comes as it is.
    return system.open(url, "rb", block_size=0, size=1)
