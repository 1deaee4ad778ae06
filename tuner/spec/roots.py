"""Where data lies: data roots, which are folders and addresses, and how folders are uploaded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from urllib.parse import urlsplit

ARCHIVE = "folder.tar"
"""The name of an uploaded archive that holds a folder: thousands of small files as one."""

IMAGES = (".png", ".jpg", ".jpeg")
"""How the names of images end."""

SCHEMES = ("https", "http", "s3", "gs")
"""The addresses that can be read."""


def is_url(path: str) -> bool:
    """Tells whether a path is an address elsewhere."""
    return "://" in path


def problem_with_url(url: str) -> str | None:
    """Says why no such address is read, or None.

    What could make one address look like another is refused, not resolved: "..", escaped
    slashes and dots, a name and password, what stands behind "?" or "#".
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"is no address: {error}"
    if parts.scheme not in SCHEMES:
        return f"begins with {parts.scheme}://; read are {', '.join(f'{s}://' for s in SCHEMES)}"
    if not parts.netloc or re.search(r"[^\x21-\x7e]|\\", url):
        return "is no address: a host, and no spaces, backslashes or letters beyond ASCII"
    if "@" in parts.netloc:
        return "holds a name or password; the cluster has its own"
    if "?" in url or "#" in url:
        return "has something behind ? or #; give the options beside it: {source, path, options}"
    if re.search(r"%(2e|2f|5c|25)", url, re.IGNORECASE) or {".", ".."} & set(url.split("/")):
        return "has . or .., or escaped dots or slashes; write the address out"
    return None


def is_below(path: str, roots: Iterable[PurePath | str]) -> bool:
    """Tells whether a path or address is below one of the roots.

    A folder's links are resolved, so that neither they nor ".." lead out. An address is
    below a root of the same scheme and host whose path it goes on, part by part.
    """
    if is_url(path):
        if problem_with_url(path):
            return False
        return any(_goes_on(path, str(root)) for root in roots if is_url(str(root)))
    resolved = Path(path).resolve()
    folders = (Path(root) for root in roots if not is_url(str(root)))
    return any(resolved.is_relative_to(folder.resolve()) for folder in folders)


def _goes_on(url: str, root: str) -> bool:
    there, above = urlsplit(url), urlsplit(root)
    if (there.scheme, there.netloc.lower()) != (above.scheme, above.netloc.lower()):
        return False
    wanted = [part for part in above.path.split("/") if part]
    return there.path.strip("/").split("/")[: len(wanted)] == wanted


def split_roots(text: str) -> list[str]:
    """Returns the roots of a list that is separated like PATH; addresses keep their colons."""
    return re.findall(r"[a-z][a-z0-9]*://[^:/]*(?::\d+(?=[/:]|$))?[^:]*|[^:]+", text)
