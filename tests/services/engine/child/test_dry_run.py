"""The helper of the dry run: one load of a model answers for many contexts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.memory.question import Allocated, ModelTaken, Question
from qtui.services.engine.child.dry_run import Helper
from qtui.services.engine.child.native import open_native
from qtui.services.library.source import read_file_header
from tests.services.engine.weighing import PLAN


class CountingApi:
    """llama.cpp's functions, of which one is counted."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self.loads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def llama_model_load_from_file(self, path: bytes, params: Any) -> Any:
        """Load, and count it."""
        self.loads += 1
        return self._api.llama_model_load_from_file(path, params)


def test_a_loaded_model_answers_for_every_context_and_is_loaded_anew_for_another_placement(
    ghosts: dict[str, Path],
) -> None:
    native = open_native()
    api = CountingApi(native.api)
    said: list[object] = []
    helper = Helper(replace(native, api=api), said.append)

    def ask(name: str, plan: LoadPlan) -> Allocated:
        tensors = read_file_header(ghosts[name]).tensors
        sizes = {tensor.name: tensor.size_bytes or 0 for tensor in tensors}
        question = Question(
            len(said), str(ghosts[name]), plan.as_json(), sum(sizes.values()), sizes["token_embd.weight"]
        )
        answer = helper.answer(question)
        assert isinstance(answer, Allocated) and answer.exact and isinstance(said[-1], ModelTaken)
        return answer

    contexts: tuple[dict[str, object], ...] = (
        {}, {"ctx_size": 32768}, {"cache_type_k": "q8_0", "cache_type_v": "q8_0"}, {"ubatch_size": 64},
        {"flash_attn": FlashAttention.OFF}, {"ctx_size": 32768, "swa_full": True},
    )  # fmt: skip
    answers = [ask("gemma3-dense", replace(PLAN, **context)) for context in contexts]  # type: ignore[arg-type]
    assert api.loads == 1
    assert len({answer.rows for answer in answers}) == len(contexts)
    ask("gemma3-dense", replace(PLAN, override_tensor=(("ffn", "CPU"),)))
    ask("gemma3-dense", replace(PLAN, override_tensor=(("ffn", "CPU"),), ctx_size=8192))
    ask("qwen3-dense", PLAN)
    assert api.loads == 3
