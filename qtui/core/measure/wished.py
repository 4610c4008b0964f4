"""Measuring as it is asked for in the app: variants, a reference, the name of a text, at most so many chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from qtui.core.library.variant import Variant
from qtui.core.measure.events import ExchangeEvent, MeasureRunEvent
from qtui.core.measure.exchange import Exchange, ExchangeMeasuring
from qtui.core.measure.ports import Texts
from qtui.core.measure.request import MeasureRequest, default_text
from qtui.core.measure.run import Means, Measuring


@dataclass(frozen=True, slots=True)
class Wished:
    """What is to be measured."""

    variants: tuple[Variant, ...]
    reference: Variant
    text: str = ""
    """A name that ships, or a path; empty: what suits the model."""
    chunks: int = 0
    """At most; 0: the whole text."""


class Measures(Protocol):
    """What measures for the app."""

    def run(self, wished: Wished, stop: asyncio.Event) -> AsyncGenerator[MeasureRunEvent, None]:
        """Measure; when `stop` is set it ends soon, and tells what there is. What was measured is kept.

        Raises:
            QtuiError: nothing can be measured.
        """
        ...

    def exchange(self, exchange: Exchange) -> AsyncGenerator[ExchangeEvent, None]:
        """Measure how far two sides are apart on one answer; closing the iterator ends it, and nothing is kept.

        Raises:
            QtuiError: it cannot be measured.
        """
        ...


@dataclass(frozen=True, slots=True)
class WishedMeasures:
    """Measures over the texts that there are."""

    means: Means
    texts: Texts

    async def run(self, wished: Wished, stop: asyncio.Event) -> AsyncGenerator[MeasureRunEvent, None]:
        """Measure what is wished for; the same again goes on where it was stopped.

        Raises:
            QtuiError: nothing can be measured.
        """
        text = await self.texts.find(wished.text or default_text(wished.reference))
        request = MeasureRequest(wished.variants, text, wished.reference, chunks=wished.chunks)
        async with aclosing(Measuring(self.means, stop).run(request)) as events:
            async for event in events:
                yield event

    async def exchange(self, exchange: Exchange) -> AsyncGenerator[ExchangeEvent, None]:
        """Measure how far two sides are apart on one answer; see `Measures`."""
        async with aclosing(ExchangeMeasuring(self.means).run(exchange)) as events:
            async for event in events:
                yield event
