"""The README and docs/ say what is so: commands, links, code, the order of the README."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from tuner.cli.main import app

sys.path.insert(0, str(Path(__file__).parent / "client"))

from coordinator_double import Double, serve

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, language: str) -> list[str]:
    """Returns the fenced blocks of a language, out of their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", page.read_text(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def commands(page: Path) -> Iterator[list[str]]:
    """Yields every command in shell blocks and between backticks, as its words."""
    lines = [
        line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").split("\n")
    ]
    prose = re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.M | re.S)
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    lines += [
        code for code in inline if re.match(r"(tuner|make|python|git|docker\S*) [a-z-]", code)
    ]
    for line in lines:
        words = shlex.split(line, comments=True)
        for stop, part in itertools.groupby(words, lambda w: w in ("&&", "||", "|", ";", ">")):
            if not stop:
                rest = itertools.dropwhile(lambda w: "=" in w or w in ("time", "export"), part)
                if found := list(rest):
                    yield found


def judge_tuner(words: list[str]) -> None:
    """Parses a command of ours without running it. Raises the parser's error where it can't."""
    command, context = COMMAND, None
    while isinstance(command, TyperGroup):
        if words == ["--help"]:
            return  # every command has it, and it would end the parsing
        context = command.make_context(command.name, list(words), parent=context)
        _, command, words = command.resolve_command(context, words)
    if words:  # without, it is only named
        command.make_context(command.name, list(words), parent=context)


@by_page
def test_every_command_exists(page: Path):
    for words in commands(page):
        program = Path(words[0]).name
        if program == "make":
            targets = {word for word in words[1:] if not re.match(r"[A-Z]+=", word)}
            assert targets <= TARGETS, words
        elif program == "tuner":
            judge_tuner(words[1:])
        for word in words:
            # Files of ours that are named in full.
            if re.match(r"(examples|deploy|docs|benchmarks|tests)/[\w./-]+$", word):
                assert (ROOT / word).exists(), words


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("rnu FILE", "No such command"),
        ("get it", "No such command"),
        ("up --cores 2", "No such option"),
        ("report JOB -o pdf", "is not one of"),
        ("cancel THIS THAT", "unexpected extra argument"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(wrong: str, said: str):
    with pytest.raises(Exception) as caught:
        judge_tuner(wrong.split())
    assert said in caught.value.format_message()


def test_commands_are_found():
    found = [" ".join(words) for words in commands(README)]
    assert "make demo" in found
    assert "tuner report JOB -o svg" in found
    assert "tuner up" in found  # between backticks


@by_page
def test_every_link_leads_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target


def test_the_map_of_the_docs_names_every_page():
    text = (ROOT / "docs" / "index.md").read_text()
    for page in PAGES[1:]:
        assert page.name == "index.md" or f"({page.name})" in text, page.name


def test_the_readme_goes_from_what_it_is_for_to_where_to_read_on():
    text = README.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Two commands",
        "From Python",
        "From the command line",
        "On a cluster",
        "Where to read on",
    ]
    opening = text.partition("\n## ")[0]
    prose = " ".join(opening.partition("![")[0].split("\n")[1:]).strip()
    assert len(re.findall(r"[.?!](?: |$)", prose)) == 3  # sentences, before the picture
    assert "](docs/returns-curve.svg)" in opening


def test_the_picture_is_one_and_small():
    picture = (ROOT / "docs" / "returns-curve.svg").read_text()
    assert picture.startswith("<svg")
    assert len(picture) < 60_000


@pytest.mark.parametrize(
    ("page", "number", "code"),
    [(p, i, code) for p in PAGES for i, code in enumerate(blocks(p, "python"))],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_python_runs_as_it_stands(page: Path, number: int, code: str, monkeypatch, capsys):
    """Against a coordinator's double, which answers with canned curves."""
    server, address = serve(Double())
    monkeypatch.setenv("TUNER_ADDRESS", address)
    monkeypatch.setenv("TUNER_TOKEN", "any")
    try:
        exec(compile(code, f"{page.name}, block {number}", "exec"), {})
    finally:
        server.stop(None).wait()
    assert capsys.readouterr().out
