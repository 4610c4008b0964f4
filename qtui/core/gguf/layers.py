"""Metadata that may be one number for all layers or an array with one per layer, as many newer models have it."""

from __future__ import annotations

from qtui.core.gguf.reader import ArrayRef, Header, ValueType, read_array
from qtui.core.gguf.source import ByteSource

MAX_LAYERS = 4096
"""Longer arrays are not per layer and are not read."""


class LayerValues:
    """Reads the keys of one architecture, without their prefix."""

    def __init__(self, header: Header, source: ByteSource | None, architecture: str, layers: int | None) -> None:
        self.header = header
        self.architecture = architecture
        self.layers = layers
        self._source = source

    def whole(self, key: str) -> int | None:
        """Return a number that is the same for all layers; None where there is none or an array."""
        value = self.header.metadata.get(f"{self.architecture}.{key}")
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    def array(self, key: str) -> list[int] | None:
        """Return the numbers of an array; None where there is none, or where nothing can be read from.

        Raises:
            BadFileError: the file ends inside the array.
        """
        ref = self.header.metadata.get(f"{self.architecture}.{key}")
        if not isinstance(ref, ArrayRef) or self._source is None or ref.count > MAX_LAYERS:
            return None
        if ref.type in (ValueType.STRING, ValueType.FLOAT32, ValueType.FLOAT64):
            return None
        return [int(value) for value in read_array(self._source, self.header, ref, MAX_LAYERS)]

    def per_layer(self, key: str) -> list[int] | None:
        """Return one number per layer, spread or from an array of at least that length.

        Raises:
            BadFileError: the file ends inside the array.
        """
        if self.layers is None or self.layers > MAX_LAYERS:
            return None
        if (same := self.whole(key)) is not None:
            return [same] * self.layers
        values = self.array(key)
        return values[: self.layers] if values is not None and len(values) >= self.layers else None

    def largest(self, key: str) -> int | None:
        """Return the number, or the largest of the array.

        Raises:
            BadFileError: the file ends inside the array.
        """
        same = self.whole(key)
        return same if same is not None else max(self.array(key) or [], default=None)

    def has(self, key: str) -> bool:
        """Tell whether the key is there, as a number or as an array."""
        return f"{self.architecture}.{key}" in self.header.metadata
