from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from qtui.core.errors import UsageError
from qtui.core.memory.plan import ALL_LAYERS, FlashAttention, LoadMode, LoadPlan
from qtui.core.presets import BUILT_IN, Preset, apply_preset
from qtui.services.presets import PresetsFile

LONG = Preset(
    "long: für später",
    {
        "ctx_size": 32768, "n_gpu_layers": ALL_LAYERS, "load_mode": LoadMode.MMAP_MLOCK, "cache_type_k": "q8_0",
        "cache_type_v": "q8_0", "flash_attn": FlashAttention.ON, "override_tensor": (("blk\\..*=x", "CPU"),),
        "tensor_split": (3.0, 1.0), "lora": (("/a,b.gguf", 0.5),), "swa_full": True,
    },
    "a long context", ("qwen3*", "*30b*"),
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> PresetsFile:
    return PresetsFile(tmp_path)


def test_without_a_file_there_are_those_of_qtui(private_home: Path) -> None:
    file = PresetsFile()
    assert file.load() == BUILT_IN
    assert not file.path.parent.exists()


def test_a_preset_comes_back_as_it_was_saved(file: PresetsFile) -> None:
    file.save(LONG)
    assert PresetsFile(file.path.parent).load() == (LONG, *BUILT_IN)
    assert file.problems() == ()
    assert not file.changed()


def test_one_of_the_users_takes_the_place_of_ours(file: PresetsFile) -> None:
    mine = Preset("safe", {"ctx_size": 2048})
    file.save(mine)
    assert [(preset.name, preset.built_in) for preset in file.load()] == [
        ("safe", False), ("balanced", True), ("gpu", True),
    ]  # fmt: skip
    file.delete("safe")
    file.delete("safe")
    assert file.load() == BUILT_IN


def test_saving_changes_only_its_own_lines(file: PresetsFile) -> None:
    file.path.write_text("# mine\n[a]\nctx_size = 1  # one\nlater = 3\nswa_full = true\n\n[b]\nctx_size = 2\n")
    assert [(preset.name, dict(preset.options)) for preset in file.load()][:2] == [
        ("a", {"ctx_size": 1, "swa_full": True}), ("b", {"ctx_size": 2}),
    ]  # fmt: skip
    assert [problem.key for problem in file.problems()] == ["a.later"]
    file.save(Preset("a", {"ctx_size": 3}, "new"))
    text = file.path.read_text()
    assert text.startswith("# mine\n[a]\nctx_size = 3  # one\nlater = 3\n")
    assert tomllib.loads(text) == {"a": {"ctx_size": 3, "later": 3, "about": "new"}, "b": {"ctx_size": 2}}
    file.delete("b")
    assert tomllib.loads(file.path.read_text()) == {"a": {"ctx_size": 3, "later": 3, "about": "new"}}


def test_a_preset_of_nothing_is_one(file: PresetsFile) -> None:
    file.save(Preset("plain"))
    assert file.load()[0] == Preset("plain")
    file.save(Preset("plain", {"ctx_size": 5}))
    assert file.load()[0] == Preset("plain", {"ctx_size": 5})


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("[a]\nctx-size = 1\n", "a.ctx-size", "ctx_size"),
        ("[a]\nctx_size = '1'\n", "a.ctx_size", "whole number"),
        ("[a]\npreset = 'b'\n", "a.preset", "no plan option"),
        ("[a]\nmatch = 1\n", "a.match", "text"),
        ("[a]\nlora = [1]\n", "a.lora", "FILE"),
        ("a = 1\n", "a", "not a table"),
        ("['x\\u001b']\n".replace("'", '"'), "x\N{REPLACEMENT CHARACTER}", "name"),
        ("[a]\nflash_attn = 'off'\ncache_type_v = 'q8_0'\n", "a", "flash attention"),
        ("[a\n", "", "line 1"),
    ],
)
def test_what_cannot_be_used_is_named(file: PresetsFile, text: str, key: str, said: str) -> None:
    file.path.write_text(text)
    file.load()
    (problem,) = file.problems()
    assert problem.key == key
    assert said in problem.message
    assert file.path.read_text() == text


def test_bad_presets_are_refused(file: PresetsFile) -> None:
    for name in ("", " a", "a\nb", "x" * 61):
        with pytest.raises(UsageError):
            file.save(Preset(name))
    with pytest.raises(UsageError, match="--ctx-size"):
        file.save(Preset("a", {"ctx_size": -5}))
    assert not file.path.exists()


def test_a_broken_file_is_kept(file: PresetsFile) -> None:
    file.path.write_text("[a\n")
    file.save(LONG)
    assert file.load()[0] == LONG
    (kept,) = file.path.parent.glob("presets.toml.broken-*")
    assert kept.read_text() == "[a\n"


def test_applying_one() -> None:
    plan = apply_preset(LoadPlan(threads=4, cache_type_k="q4_0"), LONG)
    assert (plan.threads, plan.ctx_size, plan.cache_type_k, plan.preset) == (4, 32768, "q8_0", LONG.name)
    with pytest.raises(UsageError, match=r"preset p: .*flash attention"):
        apply_preset(LoadPlan(flash_attn=FlashAttention.OFF), Preset("p", {"cache_type_v": "q8_0"}))
