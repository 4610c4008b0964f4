"""After a quant was made: measured against its source, so that the frontier has its point."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from qtui.core.library.variant import Variant
from qtui.core.measure.events import MeasureRunEvent
from qtui.core.measure.ports import Texts
from qtui.core.measure.request import MeasureRequest, default_text
from qtui.core.measure.run import Means, Measuring
from qtui.core.ports import Library


@dataclass(frozen=True, slots=True)
class MadeMeasuring:
    """Measures what was made against a reference."""

    means: Means
    texts: Texts
    library: Library

    async def run(self, made: Path, reference: Variant, chunks: int = 0) -> AsyncGenerator[MeasureRunEvent]:
        """Measure a file over the text that suits the model, at most `chunks` of it; what was measured is kept.

        Closing the iterator stops it; the same again goes on from there.

        Raises:
            QtuiError: nothing can be measured.
        """
        variant = await self.library.find(str(made))
        text = await self.texts.find(default_text(reference))
        request = MeasureRequest((variant,), text, reference, chunks=chunks)
        async with aclosing(Measuring(self.means).run(request)) as events:
            async for event in events:
                yield event
