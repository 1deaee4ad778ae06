"""PNG and JPEG files, a folder a class; or such folders in `train` and `test`."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.content import MAX_BYTES, make_data
from tuner.datasets.folder import Open, members
from tuner.spec.roots import IMAGES

MAX_PIXELS = 50_000_000
"""Most pixels that a file may declare: what a camera takes, and less than a bomb."""

_ORIENTATION = 0x0112  # EXIF's tag

_GREY = ("1", "L", "LA", "I", "I;16", "I;16B")
_BROKEN = (OSError, EOFError, SyntaxError, ValueError, TypeError, zlib.error, struct.error)


class Images:
    """Reads a folder of images; a class is named like its folder."""

    def load(self, request: Request) -> Data:
        """Reads the folder, or the uploaded files.

        Raises:
            DataError: A file is broken, no image, too large, lies elsewhere than in a
                class's folder, or the sizes differ and no size is given.
        """
        where = request.name or str(request.path or "the uploaded files")
        found = members(request, where)
        train, test = _parts(found, where)
        heads = {name: _head(name, found[name]) for name in (*train, *test)}
        height, width = _size(heads, request.options.get("size", ""))
        grey = _is_grey(heads, request.options["color"])
        channels = 1 if grey else 3
        # Held as bytes, then as float32.
        if 5 * len(heads) * channels * height * width > MAX_BYTES:
            raise DataError(
                f"{where}: {len(heads):,} images of {width} by {height} pixels take more than the "
                f"{MAX_BYTES:,} bytes that are read; give a smaller size, or color=grey"
            )

        def pixels(names: Sequence[str]) -> npt.NDArray[np.uint8]:
            out = np.empty((len(names), channels, height, width), dtype=np.uint8)
            for place, name in enumerate(names):
                out[place] = _pixels(name, found[name], (width, height), grey)
            return out

        x, y = pixels(list(train)), np.array(list(train.values()))
        x_test, y_test = (
            (pixels(list(test)), np.array(list(test.values()))) if test else (None,) * 2
        )
        shown = ("its images", "its folders", "its test's images", "its test's folders")
        return make_data(x, y, x_test, y_test, where, shown)


def _parts(found: Mapping[str, Open], where: str) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the training and the test files' classes by their names, in the names' order."""
    if not found:
        raise DataError(f"{where}: holds no file; put PNG and JPEG files there, a folder a class")
    parted = {name.split("/")[0] for name in found} == {"train", "test"}
    depth = 3 if parted else 2
    parts: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for name in sorted(found):
        folders = name.split("/")
        if len(folders) != depth:
            lies = "belongs to no class" if len(folders) < depth else "lies too deep"
            raise DataError(
                f"{where}: {name} {lies}; put it in a folder that is named like its class, "
                f"{'train/cats/1.png' if parted else 'cats/1.png'}"
            )
        if not name.lower().endswith(IMAGES):
            raise DataError(f"{where}: {name} is neither PNG nor JPEG; take it out of the folder")
        parts[parted and folders[0] == "test"][name] = folders[-2]
    return parts


def _head(name: str, opened: Open) -> tuple[str, tuple[int, int]]:
    """Returns an image's mode and (height, width) as it is looked at, before any pixel is read."""
    with opened() as stream, _image(name, stream) as image:
        width, height = image.size
        try:
            turned = image.getexif().get(_ORIENTATION, 1) in range(5, 9)
        except _BROKEN as error:
            raise DataError(f"{name}: is broken ({error}); fetch the file again") from error
        if turned:  # it was taken with the camera on its side
            width, height = height, width
        return image.mode, (height, width)


def _image(name: str, stream: Any) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Pillow warns of a bomb; of how many pixels, is for us to say.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(stream, formats=("PNG", "JPEG"))
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: declares too many pixels ({error})") from error
    except _BROKEN as error:
        raise DataError(f"{name}: is no PNG or JPEG image, or is broken ({error})") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{name}: declares {width:,} by {height:,} pixels; at most {MAX_PIXELS:,} are read"
        )
    return image


def _size(heads: Mapping[str, tuple[str, tuple[int, int]]], asked: str) -> tuple[int, int]:
    """Returns the height and width that every image is to have."""
    if asked:
        return int(asked), int(asked)
    (first, (_, size)), *others = heads.items()
    for name, (_, other) in others:
        if other != size:
            raise DataError(
                f"{first} has {size[1]} by {size[0]} pixels, {name} {other[1]} by {other[0]}; "
                "images must be alike: give size=SIDE, to which all are fitted"
            )
    return size


def _is_grey(heads: Mapping[str, tuple[str, tuple[int, int]]], color: str) -> bool:
    if color == "auto":
        return all(mode in _GREY for mode, _ in heads.values())
    return color == "grey"


def _pixels(name: str, opened: Open, size: tuple[int, int], grey: bool) -> npt.NDArray[np.uint8]:
    """Returns an image's pixels, shape (channels, height, width)."""
    with opened() as stream, _image(name, stream) as image:
        try:
            seen = ImageOps.exif_transpose(image)
            plain = _plain(seen).convert("L" if grey else "RGB")
        except _BROKEN as error:
            raise DataError(f"{name}: is broken ({error}); fetch the file again") from error
    if plain.size != size:
        plain = ImageOps.pad(plain, size, Image.Resampling.BILINEAR)
    pixels = np.asarray(plain, dtype=np.uint8)
    return pixels[np.newaxis] if grey else np.moveaxis(pixels, -1, 0)


def _plain(image: Image.Image) -> Image.Image:
    """Returns the image of 8 bits a channel, on white where it was transparent."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image, dtype=np.float64) / 257).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        above = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    return image
