"""Where a job's data comes from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tuner import catalog
from tuner.errors import Violation
from tuner.spec.parts import Part
from tuner.spec.problems import Problems

MAX_FILES = 100_000


def _text(value: object) -> object:
    """Returns a number or a truth value of YAML as the text that options are."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value!r}"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return value


class BlobFile(Part):
    """A file whose content the coordinator holds.

    Attributes:
        name: Its name; of a file in a folder's folder with the folders between,
            "cats/1.png".
        sha256: Of the content.
        size_bytes: Of the content.
    """

    name: str = Field(min_length=1, max_length=1024, pattern=r"^[^\\\x00]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)

    @field_validator("name")
    @classmethod
    def _relative(cls, value: str) -> str:
        if any(part in ("", ".", "..") for part in value.split("/")):
            raise ValueError("must be a path within the folder, such as cats/1.png, without ..")
        return value


class Dataset(Part):
    """Where the data comes from: `digits`, `npz:FILE`, `csv:FILE?target=COLUMN`.

    Attributes:
        source: A source of the catalog.
        path: A file or folder, or the name that the source looks up. A client that finds
            the file uploads it; else it is a path on the cluster, below one of the
            operator's data roots.
        options: What the source is told beside it, by name. Where the path is no URL they
            can be written behind it: `?target=kind&missing=refuse`. All that have a default
            are filled in.
        files: The uploaded files; filled in by the client.
    """

    source: str
    path: str = Field("", max_length=4096)
    options: Mapping[str, Annotated[str, BeforeValidator(_text)]] = Field(default_factory=dict)
    files: tuple[BlobFile, ...] = Field((), max_length=MAX_FILES)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        text, _, query = (value, "", "") if "://" in value else value.partition("?")
        source, _, path = text.partition(":")
        options = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        return {"source": source, "path": path, "options": options}

    @model_validator(mode="after")
    def _check(self) -> Self:
        source = catalog.SOURCES.get(self.source)
        if source is None:
            raise ValueError(
                f"there is no data source {self.source!r}; there are "
                + ", ".join(_spelled(s) for s in catalog.SOURCES.values())
            )
        if source.path == "none" and (self.path or self.files):
            raise ValueError(f"{self.source!r} takes no path; write just {self.source!r}")
        if source.path == "name" and (self.files or not self.path):
            raise ValueError(f"{self.source!r} needs a name and no files; write {_spelled(source)}")
        if source.path != "none" and not (self.path or self.files):
            raise ValueError(f"{self.source!r} needs a {source.path}; write {_spelled(source)}")
        if problems := _problems_with(source, self.options):
            raise Problems(problems)
        usual = {name: known.default for name, known in source.options.items() if known.default}
        object.__setattr__(self, "options", {**usual, **self.options})
        return self

    def __str__(self) -> str:
        told = "&".join(
            f"{name}={value}"
            for name, value in self.options.items()
            if value != catalog.SOURCES[self.source].options[name].default
        )
        where = f"{self.source}:{self.path}" if self.path else self.source
        return f"{where}?{told}" if told else where


def _problems_with(source: catalog.Source, options: Mapping[str, str]) -> list[Violation]:
    found = []
    for name, text in options.items():
        known = source.options.get(name)
        if known is None:
            near = difflib.get_close_matches(name, source.options, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            able = ", ".join(source.options) or "none"
            problem = f"{source.name} has no option {name!r}; it has {able}. {hint}".rstrip()
            found.append(Violation(f"options.{name}", problem))
        elif wrong := _problem_with(known, text):
            found.append(Violation(f"options.{name}", wrong))
    for name, known in source.options.items():
        if known.required and not options.get(name):
            problem = f"is missing: {known.description}; write {source.name}:PATH?{name}=..."
            found.append(Violation(f"options.{name}", problem))
    return found


def _problem_with(known: catalog.Option, text: str) -> str | None:
    """Says what is wrong with an option's text, or None."""
    if known.kind == "choice" and text not in known.values:
        return f"can't be {text!r}; choose of {', '.join(known.values)}"
    if known.kind in ("whole", "number"):
        wanted = f"give a {'whole number' if known.kind == 'whole' else 'number'} " + (
            f"from {known.low:g} to {known.high:g}"
        )
        try:
            number = int(text) if known.kind == "whole" else float(text)
        except ValueError:
            return f"can't be {text!r}; {wanted}"
        if not known.low <= number <= known.high:
            return f"can't be {text}; {wanted}"
    return None


def _spelled(source: catalog.Source) -> str:
    return source.name if source.path == "none" else f"{source.name}:{source.path.upper()}"
