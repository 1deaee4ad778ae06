"""Data sets by torchvision's names, read from the archives that their authors published.

torchvision itself isn't needed: its CIFAR archives are pickles, which are never opened
here. Their binary versions hold the same images and labels (cs.toronto.edu/~kriz/cifar.html).
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.content import MAX_BYTES, make_data
from tuner.datasets.download import download
from tuner.datasets.idx import Idx

MIRROR = "TUNER_TORCHVISION_MIRROR"
"""The environment variable of the cluster's nodes that names a mirror: MIRROR/NAME/FILE."""


@dataclass(frozen=True)
class Published:
    """Where a data set is.

    Attributes:
        address: The folder of its files.
        files: Each file's MD5.
        binary: For CIFAR's binary version: bytes before an image, of which the last is its
            class; 0 where the files are MNIST's.
        names: There: the file in the archive that names the classes.
    """

    address: str
    files: Mapping[str, str]
    binary: int = 0
    names: str = ""


def _idx(*digests: str) -> dict[str, str]:
    parts = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in _KINDS]
    return dict(zip(parts, digests, strict=True))


_KINDS = ("images-idx3", "labels-idx1")
_CIFAR = "https://www.cs.toronto.edu/~kriz"
_IMAGE_BYTES = 3 * 32 * 32

PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "MNIST": Published(
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            _idx(
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "d53e105ee54ea40749a09fcbcd1e9432",
                "9fb629c4189551a2d022fa330f9573f3",
                "ec29112dd5afa0611ce80d1b7f02629c",
            ),
        ),
        "FashionMNIST": Published(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            _idx(
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79",
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
        ),
        "KMNIST": Published(
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist",
            _idx(
                "bdb82020997e1d708af4cf47b453dcf7",
                "e144d726b3acfaa3e44228e80efcd344",
                "5c965bf0a639b31b8f53240b1b52f4d7",
                "7320c461ea6c1c855c0b718fb2a4b134",
            ),
        ),
        "CIFAR10": Published(
            _CIFAR,
            {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
            binary=1,
            names="batches.meta.txt",
        ),
        "CIFAR100": Published(
            _CIFAR,
            {"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"},
            binary=2,
            names="fine_label_names.txt",
        ),
    }
)


class Torchvision:
    """Fetches a data set and reads it; its test part is its authors'."""

    def load(self, request: Request) -> Data:
        """Reads the data set.

        A mirror is the operator's own, whose files may be packed anew; what comes from the
        published address must have the published MD5.

        Raises:
            DataError: There is none of that name, its address can't be reached, or its
                files aren't what they should be.
        """
        shown = f"torchvision:{request.name}"
        known = PUBLISHED.get(request.name)
        if known is None:
            raise DataError(f"{shown}: is none of {', '.join(PUBLISHED)}")
        mirror = os.environ.get(MIRROR, "").rstrip("/")
        with tempfile.TemporaryDirectory(prefix="tuner-torchvision-") as folder:
            for name, md5 in known.files.items():
                place, asked = Path(folder) / name, f"{shown}: {name}"
                if mirror:
                    download(f"{mirror}/{request.name}/{name}", place, asked, redirects=True)
                else:
                    download(f"{known.address}/{name}", place, asked, redirects=True, md5=md5)
            if not known.binary:
                files = {n: Path(folder) / n for n in known.files}
                return Idx().load(Request(files=files, name=shown))
            (archive,) = known.files
            return _cifar(Path(folder) / archive, known, shown)


def _cifar(archive: Path, known: Published, shown: str) -> Data:
    """Reads the binary version: of each image its classes' numbers, then its pixels."""
    content: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is None or member.issparse():
                    continue
                if sum(map(len, content.values())) + member.size > MAX_BYTES:
                    raise DataError(f"{shown}: holds more than the {MAX_BYTES:,} bytes read")
                content[Path(member.name).name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{shown}: its archive is damaged ({error})") from error
    train = [n for n in sorted(content) if n == "train.bin" or n.startswith("data_batch_")]
    test = [n for n in content if n in ("test.bin", "test_batch.bin")]
    if not train or not test or known.names not in content:
        raise DataError(f"{shown}: its archive lacks files; it holds {', '.join(sorted(content))}")
    names = np.array(content[known.names].decode(errors="replace").split())
    parts = [
        _records(b"".join(content[n] for n in part), known.binary, names, shown)
        for part in (train, test)
    ]
    (x, y), (x_test, y_test) = parts
    return make_data(x, y, x_test, y_test, shown)


def _records(
    content: bytes, labels: int, names: npt.NDArray[np.str_], shown: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]:
    size = labels + _IMAGE_BYTES
    if not content or len(content) % size:
        raise DataError(f"{shown}: {len(content):,} bytes are no whole images of {size} bytes")
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    classes = rows[:, labels - 1]
    if classes.max() >= len(names):
        raise DataError(f"{shown}: has class {classes.max()}, but names only {len(names)} classes")
    return rows[:, labels:].reshape(-1, 3, 32, 32), names[classes]
