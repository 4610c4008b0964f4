"""Markdown of a model as blocks, read again only from where it still grows."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from textual.content import Content

from qtui.ui.widgets.markdown_blocks import Block, Code, Flow, Items, Nested, Rule, Table

BULLETS = ("·", "–")
HEADINGS = {"h1": "bold underline $text-primary", "h2": "bold $text-primary"}
INLINE = {"em_open": "italic", "strong_open": "bold", "s_open": "strike"}
LONG_LIST = 1500
"""Characters from which a list that still grows is cut between its items, so that only the last is read again."""


def parser() -> MarkdownIt:
    """Return a parser for text of a model.

    HTML, links, images and reference definitions stay as they were written: nothing is hidden, no address is. Entities
    stay too: `&#x202e;` would come back as a control that `core.text.clean` has no chance to see. Line breaks are
    kept, as models write lists and verse with them.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.disable(["html_block", "html_inline", "link", "image", "autolink", "reference", "entity"])
    markdown.core.ruler.push("keep_breaks", _keep_breaks)
    return markdown


def _keep_breaks(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"


def code_blocks(text: str) -> tuple[str, ...]:
    """Return the code of a text, block by block, as it was written."""
    tokens = parser().parse(text)
    return tuple(token.content.removesuffix("\n") for token in tokens if token.type in ("fence", "code_block"))


class MarkdownSource:
    """Text that grows at its end, as blocks."""

    def __init__(self) -> None:
        self._parser = parser()
        self._settled: list[Block] = []
        self._tail = ""
        self._blocks: list[Block] = []

    @property
    def blocks(self) -> Sequence[Block]:
        """Return all blocks."""
        return self._blocks

    def append(self, text: str) -> int:
        """Add text; return the number of blocks before the first that is new or changed."""
        self._tail += text
        kept = len(self._settled)
        tokens = self._parser.parse(self._tail)
        starts = [index for index, token in enumerate(tokens) if token.level == 0 and token.map and token.nesting >= 0]
        if len(starts) > 1:
            self._settled += _blocks(tokens[: starts[-1]])
            self._drop_lines(tokens[starts[-1]].map)
            tokens = self._parser.parse(self._tail)
        if len(self._tail) > LONG_LIST:
            tokens = self._cut_list(tokens)
        self._blocks = [*self._settled, *_blocks(tokens, growing=True)]
        return kept

    def close(self) -> int:
        """Say that no more comes; return the number of blocks before the first that is changed."""
        kept = len(self._settled)
        self._settled += _blocks(self._parser.parse(self._tail))
        self._tail = ""
        self._blocks = list(self._settled)
        return kept

    def _cut_list(self, tokens: list[Token]) -> list[Token]:
        items = [i for i, token in enumerate(tokens) if token.type == "list_item_open" and token.level == 1]
        if len(items) < 2:
            return tokens
        pieces = _blocks([*tokens[: items[-1]], tokens[-1]])
        self._settled += [Items(p.items, p.tight, goes_on=True) if isinstance(p, Items) else p for p in pieces]
        self._drop_lines(tokens[items[-1]].map)
        return self._parser.parse(self._tail)

    def _drop_lines(self, span: list[int] | None) -> None:
        for _ in range(span[0] if span else 0):
            self._tail = self._tail[self._tail.index("\n") + 1 :]


def _blocks(tokens: Sequence[Token], *, growing: bool = False, depth: int = 0) -> list[Block]:
    """Turn tokens into blocks; code at the end of a text that still grows waits for its colours."""
    blocks: list[Block] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        end = _end(tokens, index)
        inner = tokens[index + 1 : end]
        match token.type:
            case "paragraph_open" | "heading_open":
                text = _inline(inner[0].children or ()) if inner else Content()
                if token.type == "heading_open":
                    text = text.stylize_before(HEADINGS.get(token.tag, "bold"))
                blocks.append(Flow(text))
            case "fence" | "code_block":
                language = token.info.split()[0] if token.info.strip() else ""
                blocks.append(Code(token.content.removesuffix("\n"), "" if growing else language))
            case "hr":
                blocks.append(Rule())
            case "blockquote_open":
                sign = Content.styled("▌ ", "$foreground-muted")
                quoted = _blocks(inner, growing=growing, depth=depth)
                blocks.append(Nested(tuple(quoted), sign, sign, tight=False))
            case "bullet_list_open" | "ordered_list_open":
                blocks.append(_list(token, inner, growing=growing, depth=depth))
            case "table_open":
                rows = _rows(inner)
                blocks.extend([Table(rows)] if rows else [])
            case _:
                blocks.extend([Flow(Content(token.content))] if token.content else [])
        index = end + 1
    return blocks


def _end(tokens: Sequence[Token], index: int) -> int:
    """Return where the block that begins at `index` is closed."""
    if tokens[index].nesting != 1:
        return index
    level = tokens[index].level
    for end in range(index + 1, len(tokens)):
        if tokens[end].nesting == -1 and tokens[end].level == level:
            return end
    return len(tokens)


def _list(opening: Token, tokens: Sequence[Token], *, growing: bool, depth: int) -> Items:
    items: list[Block] = []
    tight = all(token.hidden for token in tokens if token.type == "paragraph_open" and token.level == opening.level + 2)
    index = 0
    while index < len(tokens):
        end = _end(tokens, index)
        inner = _blocks(tokens[index + 1 : end], growing=growing, depth=depth + 1)
        ordered = opening.type == "ordered_list_open"
        sign = f"{tokens[index].info}{tokens[index].markup} " if ordered else f"{BULLETS[depth % 2]} "
        first = Content.styled(sign, "$text-accent")
        items.append(Nested(tuple(inner), first, Content(" " * first.cell_length), tight=tight))
        index = end + 1
    return Items(tuple(items), tight)


def _rows(tokens: Sequence[Token]) -> tuple[tuple[Content, ...], ...]:
    rows: list[list[Content]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(_inline(token.children or ()))
    return tuple(tuple(row) for row in rows if row)


def _inline(tokens: Sequence[Token]) -> Content:
    parts: list[tuple[str, str]] = []
    styles: list[str] = []
    for token in tokens:
        if token.type in INLINE:
            styles.append(INLINE[token.type])
        elif token.nesting == -1 and styles:
            styles.pop()
        elif token.type in ("hardbreak", "softbreak"):
            parts.append(("\n", ""))
        elif token.type == "code_inline":
            parts.append((token.content, " ".join([*styles, "$text-accent"])))
        elif token.content:
            parts.append((token.content, " ".join(styles)))
    return Content.assemble(*parts)
