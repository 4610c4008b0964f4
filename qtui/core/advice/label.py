"""Label: what a quant's name stands for: a mix of llama.cpp's, or one that a publisher made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qtui.core.gguf import types

_MARK = re.compile(r"^(UD-|i1-|smol-|mix:)")
_STOCK = frozenset(kind.name for kind in types.FILE_TYPES.values()) | {"MXFP4"}
_LARGE = re.compile(r"^(Q\d_K)_(?:XXL|XL|L|P)$")
_LARGER_OF = {"Q2_K": "Q2_K", "Q3_K": "Q3_K_L", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "Q6_K": "Q6_K", "Q8_K": "Q8_0"}
_DEMANDS_IMATRIX = frozenset({"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "Q2_K_S"})
"""Types that llama-quantize makes with an importance matrix only (llama-quant.cpp, tensor_requires_imatrix)."""
_TAKES_NONE = frozenset({"F32", "F16", "BF16", "Q8_0", "MXFP4", "MXFP4_MOE", "NVFP4", "TQ1_0", "TQ2_0"})
"""Types whose mixes an importance matrix does not change, or hardly."""
_WIDTH = re.compile(r"^(?:I?Q|TQ|MXFP|NVFP|BF|F)(\d+)")


@dataclass(frozen=True, slots=True)
class Label:
    """A quant's name, taken apart."""

    text: str
    """As it stands in the name of the file: `UD-Q4_K_XL`."""
    mark: str
    """`UD-`, `i1-`, `smol-`, `mix:`; empty: none."""
    base: str
    """Without the mark: `Q4_K_XL`."""

    @property
    def stock(self) -> str:
        """Return the mix of llama.cpp's that a file of this name holds; empty: another one.

        `i1-` is one publisher's mark for a stock mix that was made with an importance matrix.
        """
        return self.base if self.mark in ("", "i1-") and self.base in _STOCK else ""

    @property
    def whole(self) -> bool:
        """Tell whether it is no quant: weights as they were converted."""
        return self.text in ("F32", "F16", "BF16")

    @property
    def beside(self) -> str:
        """Return the stock mix that this one was made from, with more bits for some tensors; empty: that is not known.

        `Q4_K_L` is `Q4_K_M` with embeddings and output in Q8_0, as some publishers make it.
        """
        found = _LARGE.match(self.base)
        return _LARGER_OF.get(found[1], "") if found and not self.stock and self.mark in ("", "i1-") else ""

    @property
    def width(self) -> int | None:
        """Return the bits that the name speaks of: 4 for `IQ4_XS`."""
        found = _WIDTH.match(self.base)
        return int(found[1]) if found else None

    @property
    def i_quant(self) -> bool:
        """Tell whether its type looks values up in a table, as all with an I before the Q do."""
        return self.base.startswith("IQ")

    @property
    def demands_imatrix(self) -> bool:
        """Tell whether llama-quantize makes it with an importance matrix only."""
        return self.base in _DEMANDS_IMATRIX

    def imatrix(self, noted: bool | None) -> bool | None:
        """Return whether a file of this name was made with an importance matrix; None: nobody tells.

        `noted`: what its header or its publisher says; a header that notes none does not prove that there was none.
        """
        if self.base in _TAKES_NONE:
            return False
        return True if self.mark in ("UD-", "i1-") or self.demands_imatrix else noted


def label_of(text: str) -> Label:
    """Take a quant's name apart."""
    found = _MARK.match(text)
    mark = found[0] if found else ""
    return Label(text, mark, text[len(mark) :].upper() if mark != "mix:" else text[len(mark) :])
