"""What panels have in common: the right half of a wide screen, the whole of a narrow one."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.screen import ModalScreen
from textual.types import CSSPathType

Result = TypeVar("Result")


class Panel(ModalScreen[Result], Generic[Result]):
    """Answers and goes away. Its box has the class `box`."""

    CSS_PATH: ClassVar[CSSPathType | None] = "panel.tcss"
