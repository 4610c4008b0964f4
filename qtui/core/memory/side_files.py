"""The files that a plan loads beside the model: what they take, and whether they go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from qtui.core.errors import PlanRefusedError
from qtui.core.memory.extras import adapter, projector
from qtui.core.memory.footprint import ExtraItem

ADAPTER, LORA = "adapter", "lora"
EMBEDDING = "token_embd.weight"
"""Lies the other way round in an adapter."""
_NOTHING: Mapping[str, tuple[int, int]] = MappingProxyType({})
PROJECTOR_KINDS = ("mmproj", "clip")
"""What `general.type` or `general.architecture` of a projector says."""


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file that is loaded beside the model, as its header tells. All text in it is clean."""

    name: str
    tensor_bytes: int
    """Of all its tensors, each padded as it is laid out in RAM."""
    kind: str = ""
    """`general.type`."""
    architecture: str = ""
    """`general.architecture`: of an adapter that of the models which it changes."""
    method: str = ""
    """`adapter.type`."""
    changes: tuple[tuple[str, int, int], ...] = ()
    """What an adapter changes: the model's tensor, its columns and rows."""


@dataclass(frozen=True, slots=True)
class SideFiles:
    """All that a plan loads beside the model."""

    adapters: tuple[SideFile, ...] = ()
    projector: SideFile | None = None

    def items(self, *, on_gpu: bool) -> tuple[ExtraItem, ...]:
        """Return what they take; `on_gpu`: layers are on a card."""
        found = [adapter(file.name, file.tensor_bytes, on_gpu) for file in self.adapters]
        if self.projector is not None:
            found += projector(self.projector.tensor_bytes, on_gpu)
        return tuple(found)

    def check(self, architecture: str, title: str, shapes: Mapping[str, tuple[int, int]] = _NOTHING) -> None:
        """Refuse what llama.cpp would refuse once the model is loaded (llama-adapter.cpp, llama_adapter_lora_init).

        Args:
            architecture: of the model; empty: not known.
            title: of the model.
            shapes: columns and rows of the model's tensors, by name; empty: not known.

        Raises:
            PlanRefusedError: names the file, and both architectures where they differ.
        """
        for file in self.adapters:
            if file.kind != ADAPTER or file.method != LORA:
                raise PlanRefusedError(
                    f"--lora {file.name} is {_what(file)}, not a LoRA adapter",
                    "convert_lora_to_gguf.py of llama.cpp makes one; leave --lora out",
                )
            if architecture and file.architecture != architecture:
                raise PlanRefusedError(
                    f"--lora {file.name} is for models of the architecture {file.architecture or '?'}, and {title} is "
                    f"of {architecture}",
                    "take an adapter that was trained on this model, or leave --lora out",
                )
            if shapes and (misfit := _misfit(file, shapes)):
                raise PlanRefusedError(
                    f"--lora {file.name} changes {misfit[0]}, and {title} {misfit[1]}",
                    "it was trained on another model of the same architecture: take one for this, or leave --lora out",
                )
        beside = self.projector
        if beside is not None and not {beside.kind, beside.architecture} & set(PROJECTOR_KINDS):
            raise PlanRefusedError(
                f"--mmproj {beside.name} is {_what(beside)}, not a projector",
                "a projector lies beside its model and is called mmproj-….gguf; leave --mmproj out",
            )


def _what(file: SideFile) -> str:
    """Return what a file is instead, by its header."""
    if file.kind == ADAPTER:
        return f"an adapter of the type {file.method or '?'}"
    kind = file.kind or "model"
    return f"a {kind} of the architecture {file.architecture or '?'}"


def _misfit(file: SideFile, shapes: Mapping[str, tuple[int, int]]) -> tuple[str, str] | None:
    """Return the first tensor that an adapter changes and the model has otherwise or not at all, in words."""
    for name, columns, rows in file.changes:
        if name not in shapes:
            return name, "has no such tensor"
        if name != EMBEDDING and shapes[name] != (columns, rows):
            return f"{name} of {columns} x {rows}", f"has it of {shapes[name][0]} x {shapes[name][1]}"
    return None
