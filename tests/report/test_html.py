"""The page: whole HTML that loads nothing, and that no name can get into."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from coordinator_double import make_spec

from tuner.errors import TunerError
from tuner.report import chart, markdown
from tuner.report.html import page

VOID = {"meta", "br", "hr", "img", "link", "input"}
EVIL = '<script>alert("x")</script> & [x](http://evil) ![x](http://evil/x.png) <http://evil>'


class Page(HTMLParser):
    """Reads a page and proves that every tag is closed in its order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.said = [], [], [], []
        self.headings = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def named(result, name):
    return replace(result, job=replace(result.job, spec=make_spec(name=name)))


def test_the_page_is_whole_and_has_every_section_and_the_picture(result):
    text = page(result)
    read = Page(text)
    assert text.startswith("<!doctype html>")
    sections = re.findall(r"^##? (.+)$", markdown(result), re.MULTILINE)
    assert len(sections) >= 8
    assert read.headings == sections
    assert read.tags.count("svg") == 1
    assert text.index("<h1>") < text.index("<svg") < text.index("<h2>")
    assert read.tags.count("table") >= 8
    said = "".join(read.said)
    for words in ("depth 2 is enough", "can't be told apart", "learning_rate=0.00312", "dataset:"):
        assert words in said


def test_the_page_loads_nothing_and_runs_nothing(result):
    text = page(named(result, EVIL))
    read = Page(text)
    assert not {"script", "link", "img", "a", "iframe", "object", "use"} & set(read.tags)
    for name, value in read.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "href", "xlink:href")
        if name != "xmlns":
            # What is read aloud and shown may hold anything; nothing follows it.
            assert name in ("aria-label", "content") or "http" not in (value or ""), name
    assert "url(" not in re.sub(r"url\(#clip\d+\)", "", text)
    assert "@import" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize("name", ["<script>", "</title><script>", "<b>x</b>", "a & b", "&lt;x&gt;"])
def test_names_are_shown_as_they_are(result, name):
    read = Page(page(named(result, name)))
    assert "script" not in read.tags
    assert "b" not in read.tags
    assert read.headings[0] == f"{name}: how much capacity is enough"


def test_notes_and_reasons_cannot_bring_anything_in(result):
    curve = result.curves["cnn/depth"]
    evil = replace(
        curve,
        notes=(EVIL,),
        axis="<script>",
        verdict=replace(curve.verdict, reason="<img src=x onerror=y>"),
    )
    read = Page(page(replace(result, curves=dict(result.curves) | {"cnn/depth": evil})))
    assert not {"script", "img", "a"} & set(read.tags)
    assert EVIL in "".join(read.said)


def test_a_page_without_curves_has_no_picture(result):
    read = Page(page(replace(result, curves={}, comparison=None)))
    assert "figure" not in read.tags
    assert "Nothing has been measured yet." in "".join(read.said)


def test_a_page_says_what_draws_where_it_is_not_installed(result, monkeypatch):
    monkeypatch.setattr("tuner.installed.importlib.util.find_spec", lambda name: None)
    with pytest.raises(TunerError):
        chart.svg(result)
    read = Page(page(result))
    assert "svg" not in read.tags
    assert "pip install 'tuner[charts]'" in "".join(read.said)
