"""Markdown as lines: whatever way it comes in pieces, it looks as if it had come at once, and no line is too wide."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from qtui.ui.widgets.answer_parts import AnswerParts
from qtui.ui.widgets.markdown_blocks import stacked
from qtui.ui.widgets.markdown_source import MarkdownSource, code_blocks
from tests.ui.test_hostile import HOSTILE

SAMPLE = """# Head

Some **bold** and *slanted* `code`, over
two lines.

- one
- two
  - deep
    more of it
- three

1. first

2. second

> said
> > again

```python
def f(x: int) -> int:
    return x + 1
```

| a | b |
|---|---|
| 1 | two words |

---
end"""


def whole(text: str, width: int = 60) -> list[str]:
    source = MarkdownSource()
    source.append(text)
    source.close()
    return [line.plain for line in lines(source, width)]


def lines(source: MarkdownSource, width: int) -> list[Content]:
    return stacked(source.blocks, width)


def test_it_reads_like_a_page() -> None:
    assert [line.rstrip() for line in whole(SAMPLE, 40)] == [
        "Head",
        "",
        "Some bold and slanted code, over",
        "two lines.",
        "",
        "· one",
        "· two",
        "  – deep",
        "    more of it",
        "· three",
        "",
        "1. first",
        "",
        "2. second",
        "",
        "▌ said",
        "▌",
        "▌ ▌ again",
        "",
        " def f(x: int) -> int:",
        "     return x + 1",
        "",
        "a │ b",
        "──┼──────────",
        "1 │ two words",
        "",
        "─" * 40,
        "",
        "end",
    ]


def test_styles_say_what_was_marked() -> None:
    source = MarkdownSource()
    source.append("a **b *c*** ~~d~~ `e`")
    text = lines(source, 60)[0]
    found = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert found == {"b ": "bold", "c": "bold italic", "d": "strike", "e": "$text-accent"}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_pieces_make_the_whole(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([SAMPLE, SAMPLE * 2, HOSTILE["markdown"], HOSTILE["entities"]]))
    source = MarkdownSource()
    rest = text
    while rest:
        size = data.draw(st.integers(1, 120))
        before = list(source.blocks)
        kept = source.append(rest[:size])
        assert all(old is new for old, new in zip(before[:kept], source.blocks[:kept], strict=True))
        rest = rest[size:]
    source.close()
    assert [line.plain for line in lines(source, 60)] == whole(text)


def test_a_long_list_is_read_again_only_from_its_last_item() -> None:
    source = MarkdownSource()
    text = "".join(f"{n}. item {n} of a list that does not end\n" for n in range(1, 200))
    for at in range(0, len(text), 50):
        source.append(text[at : at + 50])
    assert len(source._tail) < 1600
    source.close()
    shown = [line.plain for line in lines(source, 80) if line.plain]
    assert shown == [f"{n}. item {n} of a list that does not end" for n in range(1, 200)]


def test_code_gets_its_colours_once_it_is_complete() -> None:
    source = MarkdownSource()
    source.append("```python\ndef f():\n")
    assert len({str(span.style) for span in lines(source, 40)[0].spans}) == 1
    source.append("```\n\ndone")
    assert len({str(span.style) for span in lines(source, 40)[0].spans}) > 2


@pytest.mark.parametrize("width", [1, 2, 7, 13, 38, 120])
@pytest.mark.parametrize("kind", [*HOSTILE, "sample", "nested", "columns"])
def test_no_line_is_wider_than_its_pane(kind: str, width: int) -> None:
    text = {
        **HOSTILE,
        "sample": SAMPLE,
        "nested": "> " * 30 + "x\n\n" + "\n".join("  " * n + "- deep item" for n in range(30)),
        "columns": "|" + "a|" * 60 + "\n|" + "-|" * 60 + "\n|" + "wide cell|" * 60,
    }[kind]
    source = MarkdownSource()
    source.append(text.replace("\x1b", ""))
    for line in lines(source, width):
        assert "\n" not in line.plain
        assert line.cell_length <= max(width, 2)


def test_code_blocks_are_what_was_written() -> None:
    text = "Do\n\n```sh\necho [b]  \n```\n\nor\n\n    indented\n\n- x\n  ```\n  in a list\n  ```\n"
    assert code_blocks(text) == ("echo [b]  ", "indented", "in a list")
    assert code_blocks("none") == ()


def test_one_key_goes_through_the_parts_of_an_answer() -> None:
    parts = AnswerParts()
    two = "a\n```\none\n```\nb\n```\ntwo\n```"
    assert [parts.take(two) for _ in range(4)] == [
        ("one", "code 1 of 2"), ("two", "code 2 of 2"), (two, "the answer"), ("one", "code 1 of 2"),
    ]  # fmt: skip
    assert parts.take("```\nx\n```") == ("x", "the code")
    assert parts.take("plain") == ("plain", "the answer")
    assert parts.take("plain") == ("plain", "the answer")
