"""Presets out of sections, and sections out of presets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode
from qtui.core.preset_ini.options import READERS
from qtui.core.preset_ini.reading import import_presets
from qtui.core.preset_ini.server_keys import PRESET_ONLY, ServerKeys, keys_of
from qtui.core.preset_ini.text import Section, parse_ini
from qtui.core.preset_ini.writing import export_presets
from qtui.core.presets import Preset
from qtui.core.server.build import parse_help
from tests.fakes import make_variant

HELP = """\
-c,    --ctx-size N                     size of the prompt context (default: 0)
                                        (env: LLAMA_ARG_CTX_SIZE)
-ngl,  --gpu-layers, --n-gpu-layers N   max. number of layers (env: LLAMA_ARG_N_GPU_LAYERS)
-m,    --model FNAME                    model path (env: LLAMA_ARG_MODEL)
-np,   --parallel N                     slots
-fit,  --fit [on|off]                   whether to adjust
-kvu,  --kv-unified, -no-kvu, --no-kv-unified
                                        one cache
-ot,   --override-tensor <tensor name pattern>=<buffer type>,...
                                        override
--swa-full                              full-size cache
--jinja, --no-jinja                     templates
--temp N                                temperature
--control-vector-layer-range START END  two values
"""
KEYS = keys_of(parse_help(HELP))
MODEL = make_variant("Qwen3-8B", "Q4_K_M", folder=Path("/m"))


def imported(values: Mapping[str, str], keys: ServerKeys = KEYS) -> tuple[Preset, tuple[str, ...]]:
    """Import one section; underscores of keys are dashes, but for variables."""
    named = {key if key.isupper() else key.replace("_", "-"): value for key, value in values.items()}
    found = import_presets([Section("p", named)], keys)
    return found.presets[0], found.notes


def test_what_a_binary_knows() -> None:
    assert KEYS.knows("c") and KEYS.knows("LLAMA_ARG_CTX_SIZE") and KEYS.knows("override-tensor")
    assert KEYS.switch("swa-full") and KEYS.switch("no-jinja") and not KEYS.switch("fit")
    assert all(KEYS.knows(key) for key in PRESET_ONLY)
    assert not KEYS.knows("mlock") and not KEYS.knows("control-vector-layer-range")
    assert not ServerKeys() and not keys_of({})


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({"c": "4096"}, {"ctx_size": 4096}), ({"LLAMA_ARG_CTX_SIZE": "4096"}, {"ctx_size": 4096}),
        ({"ngl": "all"}, {"n_gpu_layers": ALL_LAYERS}), ({"gpu_layers": "-1"}, {"n_gpu_layers": AUTO}),
        ({"n_gpu_layers": "99999"}, {"n_gpu_layers": 4096}), ({"fa": "1"}, {"flash_attn": FlashAttention.ON}),
        ({"flash_attn": "auto"}, {"flash_attn": FlashAttention.AUTO}), ({"t": "-1"}, {"threads": 0}),
        ({"load_mode": "mmap+mlock"}, {"load_mode": LoadMode.MMAP_MLOCK}),
        ({"mlock": "1"}, {"load_mode": LoadMode.MMAP_MLOCK}),
        ({"no_mmap": "true"}, {"load_mode": LoadMode.NONE}), ({"mmap": "1"}, {"load_mode": LoadMode.MMAP}),
        ({"no_mmap": "on", "mlock": "on"}, {"load_mode": LoadMode.MLOCK}), ({"ctk": "q8_0"}, {"cache_type_k": "q8_0"}),
        ({"kvo": "off"}, {"no_kv_offload": True}), ({"no_kv_offload": "true"}, {"no_kv_offload": True}),
        ({"ts": "3/1,2"}, {"tensor_split": (3.0, 1.0, 2.0)}), ({"np": "4"}, {"parallel": 4}),
        ({"ot": "a=CPU,b=CUDA0"}, {"override_tensor": (("a", "CPU"), ("b", "CUDA0"))}),
        ({"lora": "/x.gguf", "lora_scaled": '"/a,b.gguf":0.5'}, {"lora": (("/x.gguf", 1.0), ("/a,b.gguf", 0.5))}),
        ({"mm": "/p.gguf"}, {"mmproj": "/p.gguf"}),
        ({"swa_full": "1", "cmoe": "enabled"}, {"swa_full": True, "cpu_moe": True}),
        ({"temp": "0.5", "jinja": "off", "fit": "off"}, {"extra": "--temp 0.5 --no-jinja"}),
        ({"np": "2", "kv_unified": "true", "version": "1"}, {"parallel": 2}),
    ],
)  # fmt: skip
def test_keys_by_all_their_names(values: dict[str, str], options: dict[str, Any]) -> None:
    preset, notes = imported(values)
    assert (preset.options, notes, preset.server) == (options, (), {})


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"dance": "yes"}, "does not know it"), ({"c": "many"}, "is kept and not used"),
        ({"ctk": "q9"}, "no cache type"),
        ({"swa_full": "maybe"}, "is not one of"), ({"c": "999999999"}, "is kept and not used"),
        ({"np": "-1"}, "from 1"),
        ({"control_vector_layer_range": "1"}, "does not know it"), ({"fit": "on", "dance": "x"}, "dance"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_kept_and_told(values: dict[str, str], word: str) -> None:
    preset, notes = imported(values)
    (key, value), *_ = [(key.replace("_", "-"), value) for key, value in values.items() if key != "fit"]
    assert preset.server == {key: value}
    assert len(notes) == 1 and word in notes[0] and notes[0].startswith(f"p: {key} = ")


def test_without_a_binary_all_others_are_kept() -> None:
    preset, notes = imported({"c": "5", "temp": "1"}, ServerKeys())
    assert preset.options == {"ctx_size": 5} and preset.server == {"temp": "1"}
    assert "no llama-server to ask" in notes[0]


def test_common_keys_stand_below_a_sections_own_and_models_are_matched() -> None:
    file = "[*]\nc = 1\nngl = 2\n[own/repo-GGUF:Q8_0]\nc = 3\n[mine]\nmodel = /m/Qwen3-8B-Q4_K_M.gguf\n[r]\nhf = a/b\n"
    first, second, third = import_presets(parse_ini(file), KEYS).presets
    assert first.options == {"ctx_size": 3, "n_gpu_layers": 2} and first.match == ()
    assert second.options == {"ctx_size": 1, "n_gpu_layers": 2} and second.suits(MODEL)
    assert third.match == ("a/b",) and third.suits(make_variant(repository="a/b")) and not third.suits(MODEL)


def test_a_section_that_no_llama_cpp_takes_is_left_out() -> None:
    found = import_presets([Section("p", {"fa": "off", "ctv": "q8_0"}), Section("x" * 80, {})], KEYS)
    assert [preset.name for preset in found.presets] == ["x" * 59 + "…"]
    assert "p is left out: preset p: a q8_0 V cache needs flash attention" in found.notes[0]


def test_only_keys_that_the_binary_knows_are_written() -> None:
    preset = Preset(
        "long: one", {"ctx_size": 4096, "threads": 3, "swa_full": True, "extra": "--temp 0.5 --dance now"},
        server={"dance": "x", "LLAMA_ARG_CTX_SIZE": "5"},
    )  # fmt: skip
    made = export_presets({preset.name: (preset, [MODEL])}, KEYS)
    (section,) = made.sections
    assert section == Section(
        "long - one",
        {"model": str(MODEL.path), "ctx-size": "4096", "parallel": "1", "swa-full": "true", "fit": "off", "temp": "0.5",
         "LLAMA_ARG_CTX_SIZE": "5"},
    )  # fmt: skip
    assert [note.split(" is left out")[0] for note in made.notes] == [
        "long - one: threads = 3", "long - one: dance = now", "long - one: dance = x",
    ]  # fmt: skip


def test_a_section_for_each_model_that_a_preset_is_meant_for() -> None:
    other = make_variant("Qwen3-8B", "Q8_0", folder=Path("/m"))
    odd = make_variant("a#b", "Q8_0", folder=Path("/m"))
    presets = [Preset("p"), Preset("q"), Preset("r", server={"hf-repo": "a/b"}), Preset("s")]
    targets = [[MODEL, other], [odd], [], []]
    made = export_presets(
        {preset.name: (preset, to) for preset, to in zip(presets, targets, strict=True)}, ServerKeys()
    )
    assert [(section.name, section.keys.get("model"), section.keys.get("hf-repo")) for section in made.sections] == [
        ("p Qwen3-8B Q4_K_M", str(MODEL.path), None), ("p Qwen3-8B Q8_0", str(other.path), None), ("r", None, "a/b"),
    ]  # fmt: skip
    assert "q is left out: its file cannot be written: it holds #" in made.notes[0]
    assert "s is left out: no model here" in made.notes[1]


def test_what_was_exported_is_imported_again() -> None:
    options: dict[str, Any] = {
        "ctx_size": 4096, "cache_type_k": "q8_0", "n_gpu_layers": 7, "no_kv_offload": True, "parallel": 3,
        "lora": (("/x.gguf", 0.25), ("/y.gguf", 1.0)), "override_tensor": (("a", "CPU"),), "mmproj": "/p.gguf",
        "tensor_split": (3.0, 1.0), "load_mode": LoadMode.NONE, "flash_attn": FlashAttention.OFF,
    }  # fmt: skip
    made = export_presets({"p": (Preset("p", options), [MODEL])}, ServerKeys())
    (back,) = import_presets(made.sections, ServerKeys()).presets
    assert sorted(back.options["lora"]) == sorted(options.pop("lora"))
    assert {key: value for key, value in back.options.items() if key != "lora"} == options
    assert back.suits(MODEL)


def test_every_key_with_a_meaning_is_read_by_something() -> None:
    assert all(callable(read) for read in READERS.values())
    assert not any(key.startswith("-") for key in READERS)
