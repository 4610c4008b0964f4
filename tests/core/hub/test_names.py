"""Names, addresses and queries: what users write, and what repositories call their files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtui.core.errors import UsageError
from qtui.core.hub.address import Address, parse_address, parse_repository
from qtui.core.hub.query import Query, parse_parameters, parse_query
from qtui.core.hub.repository import is_repository_name, usable
from qtui.core.text import clean_name


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("acme/Model-GGUF:Q4_K_M", Address("acme/Model-GGUF", quant="Q4_K_M")),
        ("acme/Model-GGUF:UD-Q4_K_XL", Address("acme/Model-GGUF", quant="UD-Q4_K_XL")),
        ("acme/Model-GGUF/a-Q4_0.gguf", Address("acme/Model-GGUF", file="a-Q4_0.gguf")),
        ("acme/Model-GGUF/sub/a.gguf", Address("acme/Model-GGUF", file="sub/a.gguf")),
        (
            "https://huggingface.co/acme/Model-GGUF/blob/main/sub/a.gguf?download=true",
            Address("acme/Model-GGUF", file="sub/a.gguf"),
        ),
        ("https://hf.co/acme/M/resolve/0123/a.gguf", Address("acme/M", file="a.gguf")),
        ("acme/Model-GGUF/a.gguf.part1of2", Address("acme/Model-GGUF", file="a.gguf.part1of2")),
        ("acme/Model-GGUF/README.md", None),
        ("acme/Model-GGUF", None),
        ("folder/a.gguf", None),
        ("/abs/model/a.gguf", None),
        ("./acme/Model/a.gguf", None),
        ("~/acme/Model/a.gguf", None),
        ("acme/Model/../../a.gguf", None),
        ("acme/Model:", None),
        ("acme/Model:a/b", None),
        ("acme/Mo\x1bdel:Q4", None),
        ("a.gguf", None),
        ("", None),
    ],
)
def test_addresses(text: str, address: Address | None) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("acme/Model", "acme/Model"),
        (" acme/Model/ ", "acme/Model"),
        ("https://huggingface.co/acme/Model", "acme/Model"),
        ("https://huggingface.co/acme/Model/tree/main", "acme/Model"),
        ("https://huggingface.co/acme/Model?library=gguf", "acme/Model"),
        ("https://huggingface.co/datasets/acme/Model", None),
        ("https://elsewhere.example/acme/Model", None),
        ("acme", None),
        ("acme/Model/a.gguf", None),
    ],
)
def test_repositories(text: str, name: str | None) -> None:
    assert parse_repository(text) == name


@given(st.text(max_size=40))
def test_no_text_breaks_the_parsers(text: str) -> None:
    parse_address(text)
    parse_repository(text)
    assert not is_repository_name(text) or clean_name(text) == text
    if usable(text):
        assert clean_name(text, 2000) == text and ".." not in text.split("/") and not text.startswith("/")


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("7B-14B", (7 * 10**9, 14 * 10**9)),
        ("7-14B", (7 * 10**9, 14 * 10**9)),
        ("0.5b-", (5 * 10**8, None)),
        ("-14B", (None, 14 * 10**9)),
        ("270M-1B", (27 * 10**7, 10**9)),
        ("8B", (7_200_000_000, 8_800_000_000)),
    ],
)
def test_parameters(text: str, bounds: tuple[int | None, int | None]) -> None:
    assert parse_parameters(text) == bounds


@pytest.mark.parametrize("text", ["", "-", "x", "7Q", "7B 14B", "7B--14B", "1e9"])
def test_no_parameters(text: str) -> None:
    with pytest.raises(UsageError):
        parse_parameters(text)


def test_queries_are_checked() -> None:
    Query("Qwen3 8B", author="acme", licence="apache-2.0", architecture="qwen3", least_parameters=1).check()
    for query in (
        Query("x" * 201), Query(author="a&b=c"), Query(licence="a\n"), Query(least_parameters=2, most_parameters=1),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            query.check()


def test_one_line_holds_words_and_terms() -> None:
    found = parse_query("qwen3 coder author:unsloth arch:qwen3moe LICENSE:apache-2.0 params:7B-14B odd:word a: :b")
    assert found == Query(
        text="qwen3 coder odd:word a: :b", author="unsloth", architecture="qwen3moe", licence="apache-2.0",
        least_parameters=7 * 10**9, most_parameters=14 * 10**9,
    )  # fmt: skip
    assert parse_query("  ") == Query()
    with pytest.raises(UsageError, match="not a range"):
        parse_query("params:many")
