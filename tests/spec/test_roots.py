"""Nothing outside of the data roots is reached: not by dots, links, hosts or escapes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.spec.roots import is_below, is_url, problem_with_url, split_roots

ROOTS = ("/data", "https://example.org/public/sets", "s3://bucket", "gs://b/a/")


@pytest.mark.parametrize(
    "path",
    [
        "/data/a.csv",
        "/data/x/../a.csv",
        "https://example.org/public/sets/a.csv",
        "https://EXAMPLE.org/public/sets/x/y%20z.csv",
        "s3://bucket/any/key.parquet",
        "gs://b/a/c.csv",
    ],
)
def test_what_is_below_a_root_is(path: str) -> None:
    assert is_below(path, ROOTS)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/data/../etc/passwd",
        "/database/a.csv",
        "https://example.org/public/setsx/a.csv",
        "https://example.org/public/a.csv",
        "https://example.org/public/sets/../../a.csv",
        "https://example.org/public/sets/%2e%2e/a.csv",
        "https://example.org/public/sets/..%2Fa.csv",
        "https://example.org/public/sets/%252e%252e/a.csv",
        "https://example.org/public/sets\\..\\a.csv",
        "https://example.org:8443/public/sets/a.csv",
        "https://example.org.evil.net/public/sets/a.csv",
        "https://example.org@evil.net/public/sets/a.csv",
        "https://evil.net/https://example.org/public/sets/a.csv",
        "http://example.org/public/sets/a.csv",
        "s3://bucket2/a.csv",
        "s3://user:secret@bucket/a.csv",
        "gs://b/ab/c.csv",
        "file:///data/a.csv",
        "https:///public/sets/a.csv",
        "https://example.org/public/sets/a.csv?token=1",
        "https://example.org/public/sets/a\n.csv",
        "https://[::1/a",
    ],
)
def test_what_is_not_below_a_root_is_not(path: str) -> None:
    assert not is_below(path, ROOTS)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.org/a", r"begins with ftp://; read are https://, http://, s3://, gs://"),
        ("https://a:b@example.org/a", "holds a name or password; the cluster has its own"),
        ("https://example.org/a?b=c", "has something behind"),
        ("https://example.org/../a", "write the address out"),
        ("https://example.org:x/a", "is no address"),
    ],
)
def test_an_address_that_is_never_read_says_why(url: str, said: str) -> None:
    assert said in str(problem_with_url(url))


def test_a_link_out_of_a_root_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    assert is_below(f"{tmp_path}/root/a", [tmp_path / "root"])
    assert not is_below(f"{tmp_path}/root/out/a", [tmp_path / "root"])


ROOT = st.one_of(
    st.from_regex(r"/[a-z]{1,8}(/[a-z0-9.]{1,5})?", fullmatch=True),
    st.from_regex(r"(https|s3|gs)://[a-z]{1,8}(/[a-z]{1,5})?", fullmatch=True),
    st.from_regex(r"https://[a-z]{1,8}:[0-9]{1,5}(/[a-z]{1,5})?", fullmatch=True),
)


@given(st.lists(ROOT, max_size=6))
def test_a_list_of_roots_is_parted_where_it_was_joined(roots: list[str]) -> None:
    assert split_roots(":".join(roots)) == roots
    assert [is_url(root) for root in roots] == [not root.startswith("/") for root in roots]
