"""The help pages: every figure has a source, every source is used, and the wrong claims are not repeated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qtui.core.help_pages import HelpPage, help_page
from qtui.services.help_pages import SHIPPED, read_help

PAGES = read_help()
# Names of types and options, versions of models, and numbers of the app's own conventions are no figures.
NAMES = re.compile(
    r"`[^`]*`|\b(?:I?Q|TQ|MXFP|NVFP|BF|F|[a-z]+_)\d\w*|\bf16\b|\b[A-Z][\w.]*-?\d[\w.]*-A?\d+B|"
    r"(?:LLaMA|Llama|Qwen|Gemma|GPT-?)[ -]?\d+(?:\.\d+)?(?: \d+B(?:-A\d+B)?)?|\b\d+B\b|gpt-oss|i1-"
)
FIGURE = re.compile(r"\d+(?:\.\d+)?(?: ?%|[ -]?(?:bits?|bytes?|points|GiB|KiB|MiB)\b)|\d+\.\d+|\b\d+ of \d+\b")
REFERENCE = re.compile(r"\[(\d+)\]")
OURS = ("1 GiB by default", "qtui says *no measurable")
"""What qtui itself does."""


def claims(page: HelpPage) -> list[str]:
    """Return paragraphs and list items, each as one line."""
    blocks = re.split(r"\n\s*\n|\n(?=- )|\n(?=\|)", page.body)
    return [" ".join(block.split()) for block in blocks if block.strip() and not block.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_claim_with_a_figure_names_its_source(page: HelpPage) -> None:
    assert page.sources and "](" not in page.body
    missing = [
        claim for claim in claims(page)
        if FIGURE.search(NAMES.sub("", claim)) and not REFERENCE.search(claim)
        and not any(ours in claim for ours in OURS)
    ]  # fmt: skip
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sources_and_references_belong_together(page: HelpPage) -> None:
    used = {int(number) for number in REFERENCE.findall(page.body)}
    assert used == set(page.sources) and sorted(used) == list(range(1, len(used) + 1))
    assert all(re.fullmatch(r"https://[\w./~%-]+", address) for address in page.sources.values())


def test_a_claim_without_a_source_is_found() -> None:
    page = help_page("1-x.md", "# X\n\nIt loses 5 % there.\n\n## Sources\n1. a https://example.org\n")
    assert FIGURE.search(NAMES.sub("", claims(page)[0])) and not REFERENCE.search(claims(page)[0])
    assert (page.name, page.title, page.sources) == ("x", "X", {1: "https://example.org"})


def test_a_page_flows_for_what_keeps_line_breaks() -> None:
    text = "# T\n\nOne\ntwo.\n\n- a\n  b\n- c\n\n| x |\n|---|\n| y |\n\n## Sources\n1. s https://example.org\n"
    flowing = help_page("1-x.md", text).flowing.splitlines()
    assert (
        flowing[2] == "One two." and flowing[4:6] == ["- a b", "- c"] and flowing[7:10] == ["| x |", "|---|", "| y |"]
    )


def test_topics_cover_what_is_asked_most() -> None:
    assert [page.name for page in PAGES] == ["names", "memory", "loading", "numbers", "claims"]
    text = "\n".join(page.text for page in PAGES)
    for word in ("`_K`", "`IQ`", "`UD-`", "`i1-`", "`_L`", "MXFP4", "REAP", "GPTQ", "AWQ", "QLoRA", "adapter"):
        assert word in text, word
    assert all(page.title and len(page.text) < 20_000 for page in PAGES)


@pytest.mark.parametrize(
    "wrong",
    [
        "Mixed Floating Point",
        "--imatrix-data-file",
        "--moe-param",
        "v0.14.0",
        "9.4B",
        "21/30",
        "torch 3.2",
        "bigger blocks",
    ],
)
def test_wrong_claims_are_not_repeated(wrong: str) -> None:
    assert not any(wrong in page.text for page in PAGES)


def test_the_docs_link_every_page() -> None:
    linked = re.findall(r"\]\(\.\./(qtui/data/help/[^)]+)\)", (Path(__file__).parents[2] / "docs/help.md").read_text())
    assert [Path(each).name for each in linked] == [path.name for path in sorted(SHIPPED.glob("*.md"))]


def test_figures_of_the_pages_are_those_that_ship() -> None:
    from qtui.services.evidence import EvidenceFiles

    evidence, _ = EvidenceFiles(Path("/nowhere")).load()
    numbers = next(page for page in PAGES if page.name == "numbers").body
    by_quant = {
        figure.quant: figure.values for figure in reversed(evidence.figures)
        if figure.source.id == "llamacpp-ppl-llama3" and figure.imatrix is False
    }  # fmt: skip
    for quant, digits in (("Q8_0", 4), ("Q6_K", 4), ("Q5_K_M", 3), ("Q4_K_M", 3), ("Q3_K_M", 3), ("Q2_K", 3)):
        assert f"{quant} {by_quant[quant]['kl_divergence']:.{digits}f}" in " ".join(numbers.split())
