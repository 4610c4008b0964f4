"""A model and its context, loaded under a plan."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from qtui.core.errors import BadFileError, EngineError, MemoryRefusedError, PlanRefusedError, QtuiError
from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode, LoadPlan
from qtui.core.text import clean_name, size
from qtui.services.engine.child.interrupt import Interrupt
from qtui.services.engine.child.logged import flash_attention
from qtui.services.engine.child.memory import allow_locking
from qtui.services.engine.child.native import ERROR, Native
from qtui.services.engine.child.params import context_params, model_params
from qtui.services.engine.child.refusals import refusal
from qtui.services.engine.child.vocabulary import Vocabulary

_NOT_GGUF = re.compile(r"invalid magic characters|failed to read magic")
_NO_FILE = re.compile(r"failed to open .*\((?P<reason>[^()]*)\)\s*$")
_NO_MEMORY = re.compile(r"unable to allocate|failed to allocate|bad_alloc|out of memory|Cannot allocate memory", re.I)
_OFFLOADED = re.compile(r"offloaded (\d+)/\d+ layers to GPU")


class CancelledError(QtuiError):
    """Loading was stopped by the user."""

    kind = "cancelled"


class LoadedModel:
    """llama.cpp's model and context; everything that they point to lives as long as this object.

    `progress` is called with a fraction after each tensor; `outputs` is the most rows of logits that are asked for at
    once (`context_params`).

    Raises:
        CancelledError: the interrupt was set.
        BadFileError: the file is missing, unreadable or no model.
        PlanRefusedError: llama.cpp refuses the model or the plan.
        MemoryRefusedError: the system gives no more memory.
    """

    def __init__(
        self, native: Native, path: str, plan: LoadPlan, interrupt: Interrupt, progress: Callable[[float], None],
        *, outputs: int = 1,
    ) -> None:  # fmt: skip
        self._native = native
        self._api = native.api
        self._interrupt = interrupt
        self._path = path
        self._outputs = outputs
        self._kept: list[Any] = []
        self._mark = native.log.count
        self._context: Any = None
        if plan.load_mode.locked:
            allow_locking()
        self._model = self._load(plan, progress)
        try:
            adapters = [self._adapter(adapter) for adapter, _ in plan.lora]
            self._context = self._open(plan)
            self._apply(adapters, [scale for _, scale in plan.lora])
        except QtuiError:
            self.close()
            raise
        self.vocabulary = Vocabulary(native, self._model)
        self.plan = self._resolved(plan)

    @property
    def context(self) -> Any:
        """Return the llama_context."""
        return self._context

    @property
    def room(self) -> int:
        """Return how many tokens one conversation may have."""
        return int(self._api.llama_n_ctx_seq(self._context))

    @property
    def trained_context(self) -> int:
        """Return how many tokens the model was trained to."""
        return int(self._api.llama_model_n_ctx_train(self._model))

    @property
    def weights(self) -> int:
        """Return the bytes of all tensors."""
        return int(self._api.llama_model_size(self._model))

    @property
    def stateful(self) -> bool:
        """Tell whether its memory cannot be cut (recurrent, hybrid): a state has no past."""
        return bool(self._api.llama_model_is_recurrent(self._model) or self._api.llama_model_is_hybrid(self._model))

    @property
    def window(self) -> int:
        """Return the sliding window in tokens when the cache holds no more than it; 0: the cache holds everything."""
        return 0 if self.plan.swa_full else int(self._api.llama_model_n_swa(self._model))

    @property
    def template(self) -> str | None:
        """Return the file's chat template."""
        found = self._api.llama_model_chat_template(self._model, None)
        return found.decode("utf-8", "replace") if found else None

    @property
    def unanswering(self) -> str:
        """Return why this model cannot continue a text; empty when it can."""
        if self._api.llama_model_is_diffusion(self._model):
            return "it is a diffusion model, which does not write from left to right"
        if self._api.llama_model_has_encoder(self._model):
            return "it is an encoder or encoder-decoder model"
        if not self._api.llama_get_memory(self._context):
            return "it keeps no context, as embedding models do"
        return ""

    def close(self) -> None:
        """Free context, adapters and model."""
        if self._context:
            self._api.llama_free(self._context)
            self._context = None
        if self._model:
            self._api.llama_model_free(self._model)  # adapters go with their model
            self._model = None

    def _load(self, plan: LoadPlan, progress: Callable[[float], None]) -> Any:
        if not os.access(self._path, os.R_OK) or not Path(self._path).is_file():
            raise BadFileError(f"{self._title} cannot be read", "is it there, a file, and readable?")
        parameters = model_params(self._native, plan)
        interrupt = self._interrupt

        def advance(fraction: float, _data: Any) -> bool:
            progress(fraction)
            return not interrupt.is_set()

        callback = self._api.llama_progress_callback(advance)
        parameters.value.progress_callback = callback
        self._kept += [callback, parameters]
        model = self._api.llama_model_load_from_file(os.fsencode(self._path), parameters.value)
        if not model:
            raise self._refusal()
        return model

    def _adapter(self, path: str) -> Any:
        mark = self._native.log.count
        adapter = self._api.llama_adapter_lora_init(self._model, os.fsencode(path))
        if not adapter:
            self._native.log.flush()
            sentence, hint = refusal(self._native.log.since(mark, ERROR))
            raise PlanRefusedError(f"--lora {clean_name(Path(path).name)}: {sentence}", hint)
        return adapter

    def _open(self, plan: LoadPlan) -> Any:
        if self._interrupt.is_set():
            raise CancelledError("loading was stopped")
        self._mark = self._native.log.count
        context = self._api.llama_init_from_model(
            self._model, context_params(self._native, plan, n_outputs_max=self._outputs)
        )
        if not context:
            raise self._refusal()
        self._interrupt.attach(self._native, context)
        return context

    def _apply(self, adapters: list[Any], scales: list[float]) -> None:
        if not adapters:
            return
        count = len(adapters)
        pointers = (self._api.llama_adapter_lora_p_ctypes * count)(*adapters)
        if self._api.llama_set_adapters_lora(self._context, pointers, count, (ctypes.c_float * count)(*scales)):
            raise PlanRefusedError("llama.cpp does not apply these adapters together")

    def _resolved(self, plan: LoadPlan) -> LoadPlan:
        """Return the plan as it is used: what llama.cpp rounded, chose or ignored."""
        lines = self._native.log.since()
        chosen = plan.flash_attn
        asked = None if chosen is FlashAttention.AUTO else chosen is FlashAttention.ON
        layers = next((int(m[1]) for line in lines if (m := _OFFLOADED.search(line))), None)
        if layers is None:
            layers = plan.n_gpu_layers if self._api.llama_supports_gpu_offload() else 0
        if layers in (AUTO, ALL_LAYERS):
            layers = int(self._api.llama_model_n_layer(self._model)) + 1
        return replace(
            plan,
            ctx_size=int(self._api.llama_n_ctx(self._context)),
            n_gpu_layers=layers,
            load_mode=LoadMode.MMAP if plan.load_mode is LoadMode.AUTO else plan.load_mode,
            flash_attn=FlashAttention.ON if flash_attention(lines, asked) else FlashAttention.OFF,
            threads=int(self._api.llama_n_threads(self._context)),
            threads_batch=int(self._api.llama_n_threads_batch(self._context)),
            batch_size=int(self._api.llama_n_batch(self._context)),
            ubatch_size=int(self._api.llama_n_ubatch(self._context)),
        )

    @property
    def _title(self) -> str:
        return clean_name(Path(self._path).name)

    def _refusal(self) -> QtuiError:
        """Return what the log says of the call that failed."""
        if self._interrupt.is_set():
            return CancelledError("loading was stopped")
        log = self._native.log
        log.flush()
        errors = log.since(self._mark, ERROR)
        text = "\n".join(errors)
        if _NOT_GGUF.search(text):
            return BadFileError(f"{self._title} is not a GGUF file", "choose a .gguf file of a model")
        if found := _NO_FILE.search(text):
            return BadFileError(f"{self._title} cannot be opened: {found['reason']}")
        if _NO_MEMORY.search(text):
            return MemoryRefusedError(
                f"the system gives no more memory for {self._title} ({size(self._file_size())})",
                "take a smaller quant, fewer --ctx-size tokens, or a mapped --load-mode",
            )
        sentence, hint = refusal(errors)
        refused = PlanRefusedError if errors else EngineError
        return refused(f"{self._title}: {sentence}", hint)

    def _file_size(self) -> int:
        return Path(self._path).stat().st_size
