"""Prints what the package and the named extras depend on, for an image layer of its own.

python deploy/requirements.py server cluster
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extras: list[str]) -> list[str]:
    """Returns the dependencies of a package and of its extras, each once.

    Args:
        pyproject: The package's pyproject.toml.
        extras: Names of extras; those that name the package itself aren't followed.

    Raises:
        KeyError: There is no such extra.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    found = list(project["dependencies"])
    for extra in extras:
        found += project["optional-dependencies"][extra]
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path("pyproject.toml"), sys.argv[1:])) + "\n")
