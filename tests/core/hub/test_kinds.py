from __future__ import annotations

import pytest

from qtui.core.hub.card import MAX_LINES, card_of
from qtui.core.hub.kinds import Format, kind_of, origin_of
from qtui.core.hub.repository import Repository

BASE = ("acme/Model",)


@pytest.mark.parametrize(
    ("repository", "paths", "found"),
    [
        (Repository("a/Model-GGUF"), ["a-Q4_0.gguf"], Format.GGUF),
        (
            Repository("a/Model", tags=("safetensors",)),
            ["model-00001-of-00002.safetensors", "config.json"],
            Format.SAFETENSORS,
        ),
        (Repository("a/Model"), ["pytorch_model.bin"], Format.PYTORCH),
        (Repository("a/Model-GPTQ", tags=("gptq", "4-bit")), ["model.safetensors"], Format.GPTQ),
        (Repository("a/Model-AWQ"), ["model.safetensors"], Format.AWQ),
        (Repository("a/Model-exl2"), ["output.safetensors"], Format.EXL2),
        (Repository("a/Model-4bit", library="mlx"), ["model.safetensors"], Format.MLX),
        (Repository("a/Model-bnb", tags=("bitsandbytes",)), ["model.safetensors"], Format.BITSANDBYTES),
        (Repository("a/qlora", library="peft"), ["adapter_model.safetensors", "adapter_config.json"], Format.ADAPTER),
        (Repository("a/old"), ["llama-7b.ggmlv3.q4_0.bin"], Format.GGML),
        (Repository("a/data"), ["notes.txt"], Format.OTHER),
        (Repository("a/nothing"), [], Format.OTHER),
    ],
)
def test_what_a_repository_is(repository: Repository, paths: list[str], found: Format) -> None:
    kind = kind_of(repository, paths)
    assert kind.format is found
    assert bool(kind.why) is (found is not Format.GGUF)


def test_what_can_be_converted_says_how() -> None:
    plain = kind_of(Repository("acme/Model"), ["model.safetensors"])
    assert plain.command == "python convert_hf_to_gguf.py Model/ --outtype bf16 --outfile Model-BF16.gguf"
    adapter = kind_of(Repository("acme/lora", base_models=BASE), ["adapter_config.json"])
    assert adapter.command == "python convert_lora_to_gguf.py lora/ --base-model-id acme/Model --outfile lora.gguf"
    assert "BASE" in kind_of(Repository("acme/lora"), ["adapter_config.json"]).command
    gptq = kind_of(Repository("acme/Model-GPTQ", base_models=BASE), ["model.safetensors"])
    assert not gptq.command and "acme/Model" in gptq.advice and "To convert" not in gptq.sentence


def test_whose_quants_are_wanted_instead() -> None:
    gptq = Repository("x/Model-GPTQ", base_models=BASE)
    assert origin_of(gptq, kind_of(gptq, ["model.safetensors"])) == "acme/Model"
    tuned = Repository("x/Tuned", base_models=BASE)
    assert origin_of(tuned, kind_of(tuned, ["model.safetensors"])) == "x/Tuned"


# Cards


def test_a_card_as_plain_text() -> None:
    card = card_of(
        "---\nlicense: apache-2.0\nbase_model:\n- acme/Model\n- other/B\ntags: [a, b]\n---\n<!-- hidden\n text -->\n"
        "# Title `x`\n\n\n\n<div align=center><img src=x></div>\n**bold** and [link](http://a/b) ![pic](x.png)\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n&lt;tag&gt; &amp; more\n"
    )
    assert card.text == "Title x\n\nbold and link pic\na  b\n\n1  2\n<tag> & more"
    assert dict(card.fields) == {"license": "apache-2.0", "base_model": "acme/Model, other/B", "tags": "a, b"}
    assert not card.cut


def test_long_and_hostile_cards() -> None:
    long = card_of("line\n" * 500)
    assert long.cut and long.text.count("\n") < MAX_LINES
    hostile = card_of("---\nlicense: \x1b]0;x\x07\n---\n\x1b[2J\u202e[" * 1000 + "<" * 50_000 + "![" * 50_000)
    assert not any((ord(character) < 32 and character != "\n") or character == "\u202e" for character in hostile.text)
    assert "\x1b" not in str(dict(hostile.fields))


@pytest.mark.parametrize("text", ["", "---", "---\n---\n", "---\nno end", "\n\n\n"])
def test_cards_with_nothing_in_them(text: str) -> None:
    assert len(card_of(text).text) < 20
