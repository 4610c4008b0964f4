"""An answer as Markdown, drawn so that nothing the model wrote is hidden or acted on."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from textual.widgets import Markdown


def parser() -> MarkdownIt:
    """Return a parser for text of a model.

    HTML, links, images and reference definitions stay as they were written: Textual would drop the first and the last,
    hide addresses, and draw images as a sign of two cells. Entities stay too: `&#x202e;` would come back as a control
    that `core.text.clean` has no chance to see. Line breaks are kept, as models write lists and verse with them.
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


class AnswerText(Markdown):
    """Markdown of a model."""

    BULLETS = ["· ", "– ", "· ", "– "]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(parser_factory=parser, open_links=False)
