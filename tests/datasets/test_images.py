"""Folders of images are read as documented, and every bad file is refused by its name."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.datasets import folder as folders
from tuner.datasets import images, registry
from tuner.datasets.base import Data, DataError, Request


def picture(shade: int = 100, size: tuple[int, int] = (6, 5), mode: str = "L") -> bytes:
    stream = io.BytesIO()
    colour = shade if mode in ("L", "I;16") else (shade, 0, 0, 128)[: len(mode)]
    Image.new(mode, size, colour).save(stream, "PNG")
    return stream.getvalue()


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def plain(prefix: str = "", each: int = 3) -> dict[str, bytes]:
    return {
        f"{prefix}{kind}/{number}.png": picture(10 * number + place)
        for place, kind in enumerate(("cats", "dogs"))
        for number in range(each)
    }


def load(root: Path, **options: str) -> Data:
    return registry.load("images", Request(root, options=options))


def refused(root: Path, **options: str) -> str:
    with pytest.raises(DataError) as error:
        load(root, **options)
    return str(error.value)


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    data = load(write(tmp_path, plain()))
    assert data.x.shape == (6, 1, 5, 6)
    assert data.classes == ("cats", "dogs")
    assert data.y.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(data.x[:, 0, 0, 0] * 255, [0, 10, 20, 1, 11, 21], rtol=1e-6)
    assert data.x_test is None


def test_train_and_test_are_parts(tmp_path: Path) -> None:
    files = plain("train/") | {"test/dogs/9.png": picture(9), "test/cats/8.png": picture(8)}
    data = load(write(tmp_path, files))
    assert data.x.shape == (6, 1, 5, 6)
    assert data.x_test is not None
    assert data.y_test is not None
    assert data.y_test.tolist() == [0, 1]
    assert np.round(data.x_test[:, 0, 0, 0] * 255).tolist() == [8, 9]


def test_hidden_files_dont_count(tmp_path: Path) -> None:
    whole = load(write(tmp_path, plain())).digest
    write(tmp_path, {".DS_Store": b"x", "cats/.hidden.png": b"x", ".git/config": b"x"})
    assert load(tmp_path).digest == whole


def test_formats_and_depths_of_one_picture_look_alike(tmp_path: Path) -> None:
    files = plain()
    deep = io.BytesIO()
    Image.fromarray(np.full((5, 6), 10 * 257, np.uint16)).save(deep, "PNG")
    files["cats/1.png"] = deep.getvalue()
    assert (
        load(write(tmp_path / "deep", files)).digest == load(write(tmp_path / "8", plain())).digest
    )


def test_colours_are_kept_where_a_file_has_them(tmp_path: Path) -> None:
    write(tmp_path, plain() | {"cats/1.png": picture(200, mode="RGB")})
    data = load(tmp_path)
    assert data.x.shape == (6, 3, 5, 6)
    assert np.round(data.x[1, :, 0, 0] * 255).tolist() == [200, 0, 0]
    assert load(tmp_path, color="grey").x.shape == (6, 1, 5, 6)
    assert np.ptp(load(tmp_path, color="rgb").x[0]) == 0


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    write(tmp_path, plain() | {"cats/1.png": picture(255, mode="RGBA")})
    assert np.round(load(tmp_path).x[1, :, 0, 0] * 255).tolist() == [255, 127, 127]


def test_sizes_that_differ_need_one_that_is_given(tmp_path: Path) -> None:
    write(tmp_path, plain() | {"dogs/1.png": picture(50, (12, 4))})
    said = refused(tmp_path)
    assert "cats/0.png has 6 by 5 pixels, dogs/1.png 12 by 4" in said
    assert "size=SIDE" in said
    data = load(tmp_path, size="8")
    assert data.x.shape == (6, 1, 8, 8)
    wide = np.round(data.x[4, 0] * 255)
    assert wide[4].tolist() == [50] * 8  # the whole width is there, and black above it
    assert not wide[0].any()


def test_a_picture_taken_on_its_side_is_turned(tmp_path: Path) -> None:
    stream = io.BytesIO()
    image = Image.new("L", (5, 6), 10)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(stream, "JPEG", exif=exif)
    assert load(write(tmp_path, plain() | {"cats/1.jpg": stream.getvalue()})).x.shape[2:] == (5, 6)


def declared(width: int, height: int) -> bytes:
    """Returns a PNG that says it has so many pixels, and has none."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"cats/1.png": picture()[:-30]}, "cats/1.png: is broken"),
        ({"cats/1.png": b"GIF89a" + bytes(50)}, "cats/1.png: is no PNG or JPEG image"),
        ({"cats/1.png": b""}, "cats/1.png: is no PNG or JPEG image"),
        ({"cats/1.png": declared(10_000, 9_000)}, "cats/1.png: declares 10,000 by 9,000 pixels"),
        ({"cats/1.png": declared(100_000, 90_000)}, "cats/1.png: declares too many pixels"),
        ({"cats/notes.txt": b"x"}, "cats/notes.txt is neither PNG nor JPEG"),
        ({"1.png": picture()}, "1.png belongs to no class; put it in a folder"),
        ({"cats/a/1.png": picture()}, "cats/a/1.png lies too deep"),
        ({"birds/1.png": picture()}, "one example of the class 'birds'"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    assert said in refused(write(tmp_path, plain() | files))


def test_one_class_no_file_and_no_folder_are_refused(tmp_path: Path) -> None:
    cats = {name: content for name, content in plain().items() if "cats" in name}
    assert "its folders holds only the class 'cats'" in refused(write(tmp_path / "one", cats))
    (tmp_path / "empty").mkdir()
    assert "holds no file" in refused(tmp_path / "empty")
    assert "no such folder" in refused(tmp_path / "none")
    assert "is a file, not a folder" in refused(tmp_path / "one" / "cats" / "1.png")
    parts = plain("train/") | {"test/birds/1.png": picture()}
    assert "has the class 'birds', which its folders has not" in refused(
        write(tmp_path / "parts", parts)
    )


def test_more_pixels_than_are_read_are_refused_before_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 800)
    assert "6 images of 6 by 5 pixels take more than the 800" in refused(write(tmp_path, plain()))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "data", plain())
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture())
    (root / "cats" / "9.png").symlink_to(secret)
    assert "9.png: is a link that leads out of" in refused(root)
    (root / "cats" / "9.png").unlink()
    (root / "birds").symlink_to(tmp_path)
    assert "birds: is a link that leads out of" in refused(root)
    (root / "birds").unlink()
    (root / "cats" / "9.png").symlink_to("0.png")
    assert load(root).x.shape[0] == 7


def archive(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Request:
    with tarfile.open(path, "w:") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return Request(files={folders.ARCHIVE: path})


def test_a_folder_is_the_same_uploaded_one_by_one_or_packed(tmp_path: Path) -> None:
    there = load(write(tmp_path / "there", plain())).digest
    files = {}
    for number, (name, content) in enumerate(plain().items()):
        files[name] = tmp_path / f"blob{number}"
        files[name].write_bytes(content)
    assert registry.load("images", Request(files=files)).digest == there
    packed = archive(tmp_path / "blob", dict(plain()))
    assert registry.load("images", packed).digest == there


def info(kind: bytes, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo()
    made.type, made.linkname = kind, target
    return made


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"../1.png": b"x"}, "'../1.png' is no path within the folder"),
        ({"/etc/1.png": b"x"}, "'/etc/1.png' is no path within the folder"),
        ({"cats/./1.png": b"x"}, "is no path within the folder"),
        ({"cats/9.png": info(tarfile.SYMTYPE, "/etc/passwd")}, "'cats/9.png' is no plain file"),
        ({"cats/9.png": info(tarfile.LNKTYPE, "cats/1.png")}, "'cats/9.png' is no plain file"),
        ({"cats/9.png": info(tarfile.CHRTYPE)}, "'cats/9.png' is no plain file"),
        ({"cats/9.png": info(tarfile.FIFOTYPE)}, "'cats/9.png' is no plain file"),
    ],
)
def test_an_archive_with_more_than_plain_files_is_refused(
    tmp_path: Path, members: dict[str, bytes | tarfile.TarInfo], said: str
) -> None:
    with pytest.raises(DataError) as error:
        registry.load("images", archive(tmp_path / "blob", dict(plain()) | members))
    assert said in str(error.value)


def test_a_cut_or_too_large_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = archive(tmp_path / "blob", dict(plain()))
    monkeypatch.setattr(folders, "MAX_FILES", 5)
    with pytest.raises(DataError, match="holds more than the 5 files"):
        registry.load("images", request)
    monkeypatch.undo()
    monkeypatch.setattr(folders, "MAX_BYTES", 200)
    with pytest.raises(DataError, match="or 200 bytes that are read"):
        registry.load("images", request)
    monkeypatch.undo()
    whole = (tmp_path / "blob").read_bytes()
    for end in (100, 700, 3 * 1024 + 600):
        (tmp_path / "blob").write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"folder\.tar: (is no whole archive|ends within)"):
            registry.load("images", request)
