"""What `qtui demo` shows: the quants that are made of the embedded model, and the prompt that tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

DEMO_MODEL = "qtui-demo"
DEMO_QUANTS = ("Q8_0", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
"""What is made of the embedded F16 file, in this order."""
DEMO_SIDES = ("Q8_0", "Q2_K")
"""The two that the Arena opens on."""
DEMO_PROMPT = "What is 63 + 36?"
"""Q8_0 says 99, Q2_K says 109."""


@dataclass(frozen=True, slots=True)
class DemoProgress:
    """One quant of the demo model is being made."""

    quant: str
    index: int
    """Which of the quants that are missing it is, from 1."""
    count: int
    """How many are missing."""
    done: int
    """Tensors written of this quant."""
    total: int
    tensor: str = ""

    @property
    def fraction(self) -> float:
        """Return the share of the whole work that is done, from 0 to 1."""
        return (self.index - 1 + (self.done / self.total if self.total else 0.0)) / self.count
