"""Artifacts: files by their content, and the logs of runners.

`Artifacts` is the protocol; `ArtifactStore` keeps them in a folder. A blob is
named by its SHA-256, so one that is there is right, and never changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from tuner.errors import Status, TunerError, invalid
from tuner.wire.names import JobName, check_id

ABANDONED_SECONDS = 86400.0
"""An upload that has stood still for so long was cut off by a crash."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Upload(Protocol):
    """A blob on its way in. Leaving its `with` block uncommitted aborts it."""

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes.

        Raises:
            TunerError: INVALID_ARGUMENT where they exceed the announced size.
        """
        ...

    def commit(self) -> None:
        """Judges the content and puts it in place, durably and at once.

        Raises:
            TunerError: INVALID_ARGUMENT where size or digest differ from what
                was announced; nothing is kept then.
        """
        ...

    def abort(self) -> None:
        """Throws the bytes away; after commit or abort it does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Artifacts(Protocol):
    """Blobs by their content, and logs by job and attempt.

    A digest that isn't 64 lower-case hexadecimal digits is INVALID_ARGUMENT.
    """

    def open_upload(self, sha256: str, size: int) -> Upload:
        """Begins to store a blob of that digest and size in bytes."""
        ...

    def has(self, sha256: str) -> bool:
        """Tells whether the blob is there."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Opens the blob for reading. Raises TunerError, NOT_FOUND."""
        ...

    def size(self, sha256: str) -> int:
        """Returns the blob's size in bytes. Raises TunerError, NOT_FOUND."""
        ...

    def remove(self, sha256: str, wanted: Callable[[], bool]) -> None:
        """Takes a blob away, unless it turns out to be wanted.

        Args:
            sha256: The blob; one that isn't there is no error.
            wanted: Asked once the blob can't be found any more. Whoever references a
                blob first, and then sees that it is there, has it for good.
        """
        ...

    def put_log(self, job: JobName, attempt: int, text: str) -> None:
        """Keeps the log of an attempt that has ended, in place of what is there of it."""
        ...

    def append_log(self, job: JobName, attempt: int, text: str) -> None:
        """Adds to what is known so far of the log of an attempt that lives."""
        ...

    def get_log(self, job: JobName, attempt: int) -> str:
        """Returns the log that was kept of an attempt. Raises TunerError, NOT_FOUND."""
        ...

    def growing_log(self, job: JobName, attempt: int) -> str:
        """Returns what is known so far of a log that wasn't kept yet; may be empty."""
        ...

    def delete_logs(self, job: JobName) -> None:
        """Removes every log of the job, if it has any."""
        ...


class ArtifactStore(Artifacts):
    """`Artifacts` in a folder; several threads and processes may share it."""

    def __init__(self, root: Path) -> None:
        """Takes the folder, makes it where there is none, and clears abandoned uploads."""
        self._blobs = root / "blobs"
        self._logs = root / "logs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        for part in self._blobs.glob("*/.*.part"):
            # Another process may have cleared it meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                    part.unlink()
        for aside in self._blobs.glob("*/.*.aside"):
            # Whoever put it aside died before it knew whether the blob is wanted.
            with contextlib.suppress(FileNotFoundError):
                aside.replace(aside.with_name(aside.name.split(".")[1]))

    def open_upload(self, sha256: str, size: int) -> LocalUpload:
        """Does Artifacts.open_upload."""
        place = self._place(sha256)
        if size < 0:
            raise invalid("size_bytes", f"{size} is negative; give the file's size")
        place.parent.mkdir(exist_ok=True)
        return LocalUpload(place, sha256, size)

    def has(self, sha256: str) -> bool:
        """Does Artifacts.has."""
        return self._place(sha256).is_file()

    def open(self, sha256: str) -> BinaryIO:
        """Does Artifacts.open."""
        try:
            return self._place(sha256).open("rb")
        except FileNotFoundError as error:
            raise _no_blob(sha256) from error

    def size(self, sha256: str) -> int:
        """Does Artifacts.size."""
        try:
            return self._place(sha256).stat().st_size
        except FileNotFoundError as error:
            raise _no_blob(sha256) from error

    def remove(self, sha256: str, wanted: Callable[[], bool]) -> None:
        """Does Artifacts.remove."""
        place = self._place(sha256)
        aside = place.with_name(f".{sha256}.{secrets.token_hex(4)}.aside")
        try:
            place.replace(aside)
        except FileNotFoundError:
            return
        if wanted():
            aside.replace(place)
        else:
            aside.unlink(missing_ok=True)

    def put_log(self, job: JobName, attempt: int, text: str) -> None:
        """Does Artifacts.put_log; a reader sees the old one or the new one."""
        place = self._log(job, attempt)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            file.write(_encoded(text))
        temporary.replace(place)
        self._log(job, attempt, "growing").unlink(missing_ok=True)

    def append_log(self, job: JobName, attempt: int, text: str) -> None:
        """Does Artifacts.append_log."""
        place = self._log(job, attempt, "growing")
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("ab") as file:
            file.write(_encoded(text))

    def get_log(self, job: JobName, attempt: int) -> str:
        """Does Artifacts.get_log."""
        try:
            return self._log(job, attempt).read_bytes().decode(errors="replace")
        except FileNotFoundError as error:
            message = f"there is no log of attempt {attempt} of {job}"
            raise TunerError(Status.NOT_FOUND, "LOG_NOT_FOUND", message) from error

    def growing_log(self, job: JobName, attempt: int) -> str:
        """Does Artifacts.growing_log."""
        try:
            return self._log(job, attempt, "growing").read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def delete_logs(self, job: JobName) -> None:
        """Does Artifacts.delete_logs."""
        folder = self._log(job, 1).parent
        if folder.is_dir():
            for file in folder.iterdir():
                file.unlink(missing_ok=True)
            folder.rmdir()

    def _place(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            problem = f"{sha256[:100]!r} is no digest; give 64 of 0-9 and a-f"
            raise invalid("sha256", problem)
        # Folders by the first digits, so that none grows too long to list.
        return self._blobs / sha256[:2] / sha256

    def _log(self, job: JobName, attempt: int, kind: str = "log") -> Path:
        folder = self._logs / check_id(job.namespace, "namespace") / check_id(job.job, "job")
        return folder / f"{int(attempt)}.{kind}"


class LocalUpload(Upload):
    """`Upload` into a folder: the bytes wait in a file beside their place."""

    def __init__(self, place: Path, sha256: str, size: int) -> None:
        """Takes the place to end in, and the digest and size to have then."""
        self._place = place
        self._sha256 = sha256
        self._size = size
        self._written = 0
        self._digest = hashlib.sha256()
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=".part")
        self._file = os.fdopen(descriptor, "wb")
        self._temporary = Path(name)
        self._over = False

    def write(self, chunk: bytes) -> None:
        """Does Upload.write."""
        self._written += len(chunk)
        if self._written > self._size:
            # Told at once: a wrong size must not fill the disk first.
            self.abort()
            problem = f"{self._size} bytes were announced, and more have come; give the file's size"
            raise invalid("size_bytes", problem, "SIZE_MISMATCH")
        self._digest.update(chunk)
        self._file.write(chunk)

    def commit(self) -> None:
        """Does Upload.commit."""
        digest = self._digest.hexdigest()
        if self._written != self._size:
            self.abort()
            problem = f"{self._size} bytes were announced, but {self._written} have come"
            raise invalid("size_bytes", problem, "SIZE_MISMATCH")
        if digest != self._sha256:
            self.abort()
            problem = f"{self._sha256} was announced, but the content's digest is {digest}"
            raise invalid("sha256", problem, "DIGEST_MISMATCH")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._place)
        self._over = True
        _sync_folder(self._place.parent)
        _sync_folder(self._place.parent.parent)

    def abort(self) -> None:
        """Does Upload.abort."""
        if self._over:
            return
        self._over = True
        self._temporary.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


def _sync_folder(folder: Path) -> None:
    """Makes a rename in the folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encoded(text: str) -> bytes:
    """Returns bytes for any text: logs hold whatever programs print."""
    return text.encode(errors="replace")


def _no_blob(sha256: str) -> TunerError:
    return TunerError(Status.NOT_FOUND, "BLOB_NOT_FOUND", f"there is no blob {sha256}")
