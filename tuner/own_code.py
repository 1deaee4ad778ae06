"""The user's own code, by the names that a spec has for it: module:Class and module:function."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class OwnCodeError(ValueError):
    """The code can't be used; the message says which name, what and what would be right."""


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Lets modules of a folder be imported, behind everything that is installed.

    What was imported from it meanwhile is forgotten afterwards, so that changed code is read
    anew. What is installed below it, as in a virtual environment there, stays.
    """
    path, before = str(folder.resolve()), set(sys.modules)
    below = [entry for entry in sys.path if entry and Path(entry).is_relative_to(path)]
    sys.path.append(path)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(path)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            places = [path, *below] if isinstance(file, str) else []
            lies = [Path(str(file)).is_relative_to(place) for place in places]
            if lies[:1] == [True] and not any(lies[1:]):
                del sys.modules[name]


def load(name: str) -> Any:
    """Returns what stands under a name.

    Args:
        name: "module:Class" or "module:function".

    Raises:
        OwnCodeError: The module can't be imported, or hasn't it.
    """
    module, _, attribute = name.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module}.".startswith(f"{error.name}."):
            raise OwnCodeError(
                f"{name}: {module} needs the module {error.name!r}, which isn't installed there"
            ) from error
        raise OwnCodeError(
            f"{name}: there is no module {module!r}; name the folder that it is in: code: FOLDER"
        ) from error
    except (Exception, SystemExit) as error:
        raise OwnCodeError(
            f"{name}: {module} can't be imported: {type(error).__name__}: {error}"
        ) from error
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        raise OwnCodeError(f"{name}: {module} has no {attribute!r}") from error


def clash(folder: Path) -> str | None:
    """Says which module of a folder would stand for one that is there already, or None."""
    for entry in sorted(folder.iterdir()):
        name = entry.stem if entry.suffix == ".py" else entry.name
        if not name.isidentifier() or (entry.is_dir() and not any(entry.rglob("*.py"))):
            continue
        if name in sys.stdlib_module_names or _installed(name, folder):
            return (
                f"{entry.name} has the name of a module that is there already; give it another, "
                "for nobody could tell which of the two is meant"
            )
    return None


def _installed(name: str, folder: Path) -> bool:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    if found is None:
        return False
    if found.origin in (None, "namespace"):
        places = [Path(place) for place in found.submodule_search_locations or ()]
    else:
        places = [Path(str(found.origin))]
    return not any(place.resolve().is_relative_to(folder.resolve()) for place in places)
