from __future__ import annotations

import json
from pathlib import Path

import pytest

from qtui.core.gguf import types
from qtui.core.gguf.facts import Facts, facts_of
from qtui.core.gguf.reader import ValueType, read_header
from qtui.core.library.variant import Role
from qtui.services.library.source import FileSource
from tests.builders.gguf import Image, Scalar, Tensor, Typed, array, build, strings, tiny_model

Q4_K, Q6_K, F32 = (types.TYPE_IDS[name] for name in ("Q4_K", "Q6_K", "F32"))


def facts_in(image: Image) -> Facts:
    source = image.source()
    return facts_of(read_header(source), source)


def facts_at(path: Path) -> Facts:
    with FileSource(path) as source:
        return facts_of(read_header(source), source)


PLAIN = (Tensor("token_embd.weight", (256, 8), Q4_K),)


def model(tensors: tuple[Tensor, ...] = PLAIN, /, **more: Typed | Scalar) -> Facts:
    """Return the facts of a plain model; in keys `__` stands for a dot."""
    metadata: dict[str, Typed | Scalar] = {
        "general.architecture": "llama", "llama.block_count": 2, "tokenizer.ggml.model": "llama",
        "tokenizer.chat_template": "x",
    }  # fmt: skip
    metadata.update({key.replace("__", "."): value for key, value in more.items()})
    return facts_in(build(metadata, tensors))


def test_the_demo_model(demo_f16: Path) -> None:
    facts = facts_at(demo_f16)
    assert (facts.architecture, facts.model, facts.quant, facts.role) == ("llama", "qtui-demo", "F16", Role.MODEL)
    assert (facts.layers, facts.context_length, facts.vocabulary) == (5, 1024, 1024)
    assert facts.parameters == facts.active_parameters == 4_197_120
    assert facts.bits_per_weight == pytest.approx(16.01, abs=0.005)
    assert {row.name: row.tensors for row in facts.mix} == {"F16": 36, "F32": 11}
    assert facts.chat_template
    assert facts.experts is None
    assert facts.context_bytes_per_token == 5 * 2 * (64 + 64) * 2
    assert facts.warnings == ()


# The published sizes of these models, in billions: total, and active for one token (as far as they name it).
@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        ("llama3.1-8b", 8.03, 8.03),
        ("qwen3-30b-a3b", 30.5, 3.3),
        ("gpt-oss-20b", 20.9, None),
        ("deepseek-v2-lite", 15.7, 2.7),
        ("gemma3-27b", 27.0, 27.0),
    ],
)
def test_parameters_of_published_models(name: str, total: float, active: float | None, ghosts: dict[str, Path]) -> None:
    facts = facts_at(ghosts[name])
    assert facts.parameters / 1e9 == pytest.approx(total, rel=0.005)
    if active is not None:
        assert facts.active_parameters / 1e9 == pytest.approx(active, rel=0.03)


# What llama.cpp itself allocates for 32768 tokens at f16, in bytes.
@pytest.mark.parametrize(
    ("name", "cache"),
    [("llama3.1-8b", 4294967296), ("deepseek-v2-lite", 1019215872), ("glm-4.7-flash", 1774190592)],
)
def test_context_bytes_are_those_that_llama_cpp_allocates(name: str, cache: int, ghosts: dict[str, Path]) -> None:
    assert facts_at(ghosts[name]).context_bytes_per_token == cache // 32768


@pytest.mark.parametrize(
    "name", ["gemma3-27b", "gpt-oss-20b", "lfm2-1.2b", "qwen3.5-27b", "mamba2-dense", "jamba-dense", "qwen3next-moe"]
)
def test_context_bytes_are_unknown_where_no_single_number_says_them(name: str, ghosts: dict[str, Path]) -> None:
    assert facts_at(ghosts[name]).context_bytes_per_token is None


def test_context_bytes_with_numbers_per_layer() -> None:
    heads = array(ValueType.INT32, [1, 3])
    more: dict[str, Typed | Scalar] = {"llama__embedding_length": 64, "llama__attention__head_count": 4}
    assert model(**more, llama__attention__head_count_kv=heads).context_bytes_per_token == (1 + 3) * 32 * 2
    assert model(**more).context_bytes_per_token == 2 * 4 * 32 * 2
    source = tiny_model().source()
    assert facts_of(read_header(source), source).context_bytes_per_token == 64
    assert facts_of(read_header(source)).context_bytes_per_token is None
    assert model(**{**more, "llama__attention__head_count": 0}).context_bytes_per_token is None
    assert model(**more, llama__attention__head_count_kv="x").context_bytes_per_token is None


def test_experts_that_rest_are_not_active() -> None:
    tensors = (
        Tensor("token_embd.weight", (32, 8)),
        Tensor("blk.0.ffn_gate_exps.weight", (32, 10, 8)),
        Tensor("blk.1.ffn_gate_exps.weight", (32, 10, 8)),
        Tensor("blk.1.ffn_gate_shexp.weight", (32, 10)),
        Tensor("blk.1.ffn_gate_inp.weight", (32, 8)),
    )
    rest = 32 * 8 + 32 * 10 + 32 * 8
    facts = model(tensors, llama__expert_count=8, llama__expert_used_count=2)
    assert facts.parameters == rest + 2 * 2560
    assert facts.active_parameters == rest + 2 * 640
    assert facts.experts is not None
    assert (facts.experts.count, facts.experts.used) == (8, 2)
    mixed = model(tensors, llama__expert_count=8, llama__expert_used_count=array(ValueType.UINT32, [1, 4]))
    assert mixed.active_parameters == rest + 320 + 1280
    old = (Tensor("blk.0.ffn_up.0.weight", (32, 4)), Tensor("blk.0.ffn_up.1.weight", (32, 4)))
    assert model(old, llama__expert_count=2, llama__expert_used_count=1).active_parameters == 128


def test_names_are_put_together_as_converters_do() -> None:
    assert model(general__name="Qwen3 8B").model == "Qwen3 8B"
    assert model(general__name="\x1b[2JQwen\n").model == "\ufffd[2JQwen\ufffd"
    assert model().model is None
    for nothing in ("", ".", "models", "n/a", "0123456789abcdef0123456789abcdef01234567"):
        assert model(general__name=nothing).model is None
    parts = {"general__basename": "Qwen3", "general__size_label": "8B", "general__finetune": "Instruct"}
    assert model(**parts).model == "Qwen3-8B-Instruct"


def test_the_label_comes_from_the_file_type_else_from_the_mix() -> None:
    assert model(general__file_type=15).quant == "Q4_K_M"
    assert model(general__file_type=1024 | 15).quant == "Q4_K_M"
    assert model(general__file_type=77).quant == "unknown type 77"
    assert model().quant == "Q4_K"
    assert model(()).quant == "?"


@pytest.mark.parametrize(
    ("metadata", "role"),
    [
        ({"general.type": "adapter", "general.architecture": "llama"}, Role.ADAPTER),
        ({"general.type": "imatrix"}, Role.IMATRIX),
        ({"general.type": "mmproj", "general.architecture": "clip"}, Role.MMPROJ),
        ({"general.architecture": "clip"}, Role.MMPROJ),
        ({"general.architecture": "bert", "bert.block_count": 1}, Role.EMBEDDING),
        ({"general.architecture": "qwen3", "qwen3.block_count": 1, "qwen3.pooling_type": 3}, Role.EMBEDDING),
        ({"general.architecture": "qwen3", "qwen3.block_count": 1, "qwen3.pooling_type": 0}, Role.MODEL),
        ({"general.architecture": "qwen3", "qwen3.block_count": 1, "qwen3.pooling_type": 0xFFFFFFFF}, Role.MODEL),
        ({"general.type": "model", "general.architecture": "qwen3", "qwen3.block_count": 1}, Role.MODEL),
        ({"general.architecture": "eagle3", "eagle3.block_count": 1}, Role.DRAFT),
        ({"general.architecture": "flux"}, Role.UNKNOWN),
        ({"general.architecture": 7}, Role.UNKNOWN),
        ({"split.no": Typed(ValueType.UINT16, 1), "split.count": Typed(ValueType.UINT16, 3)}, Role.MODEL),
    ],
)
def test_what_a_file_is_for(metadata: dict[str, Typed | Scalar], role: Role) -> None:
    facts = facts_in(build(metadata, [Tensor("x", (32,))]))
    assert facts.role is role
    assert facts.split == ((2, 3) if "split.no" in metadata else None)


def test_a_vocabulary_is_no_model() -> None:
    facts = facts_in(build({"general.architecture": "llama", "tokenizer.ggml.tokens": strings(["a", "b"])}))
    assert facts.role is Role.VOCAB
    assert facts.vocabulary == 2
    assert facts.bits_per_weight is None
    assert facts.parameters == 0
    assert any("vocabulary only" in warning for warning in facts.warnings)


def test_shards_count_together() -> None:
    first = build({"general.architecture": "llama", "llama.block_count": 1, "split.no": 0, "split.count": 2})
    second = build({"split.no": 1, "split.count": 2}, [Tensor("token_embd.weight", (256, 8), Q4_K)])
    facts = facts_of(read_header(first.source()), rest=[read_header(second.source())])
    assert facts.role is Role.MODEL
    assert facts.parameters == 2048
    assert facts.bits_per_weight == 4.5


def test_warnings() -> None:
    q6 = tuple(Tensor(f"blk.{n}.attn_q.weight", (256, 8), Q6_K) for n in range(12))
    few = (*q6, Tensor("blk.0.ffn_up.weight", (256, 8), Q4_K))
    assert model(few, general__file_type=15).warnings == (
        "the file type says Q4_K_M, but 8% of the weights are Q4_K; most are Q6_K",
    )
    assert model((*few, *(Tensor(f"e.{n}", (256, 8), Q4_K) for n in range(3))), general__file_type=15).warnings == ()
    assert model(general__file_type=33).warnings == ("the file type Q4_0_4_4 was removed from llama.cpp",)
    assert model(general__file_type=77).warnings == ("the file type is unknown type 77",)
    strange = model((Tensor("a", (8,), 65, size_bytes=32), Tensor("b", (8,), 31, size_bytes=32)))
    assert strange.warnings == (
        "1 tensor of Q4_0_4_4, which was removed from llama.cpp",
        "1 tensor of unknown type 65, so its real size cannot be computed",
    )
    assert strange.bits_per_weight is None
    assert model((Tensor("a", (8,)), Tensor("b", (8,), offset=64))).warnings == (
        "the tensors do not follow one another without gaps: llama.cpp will refuse the file",
    )
    assert "a name of more than 63 bytes" in model((Tensor("n" * 64, (8,)),)).warnings[0]
    assert "no tokenizer" in model(tokenizer__ggml__model="no_vocab").warnings[0]
    plain = build({"general.architecture": "llama", "llama.block_count": 1, "tokenizer.ggml.model": "llama"},
                  [Tensor("a", (8,))])  # fmt: skip
    assert "no chat template" in facts_in(plain).warnings[0]
    big = build({"general.architecture": "x", "x.block_count": 1}, [Tensor("a", (8,))], big_endian=True)
    assert "big-endian" in facts_in(big).warnings[0]
    cut = read_header(type(plain.source())(plain.bytes()[:-8]), check_data=False)
    assert facts_of(cut).warnings[0] == "truncated: 8 bytes are missing"


def test_imatrix_and_named_templates() -> None:
    facts = model(
        quantize__imatrix__file="/tmp/\x1b[1mimatrix.dat", quantize__imatrix__entries_count=100,
        tokenizer__chat_template__tool_use="x",
    )  # fmt: skip
    assert facts.imatrix == {"file": "/tmp/\ufffd[1mimatrix.dat", "entries_count": 100}
    assert facts.chat_template_names == ("tool_use",)


def test_endless_texts_are_described_only() -> None:
    facts = model(a="x", b="\0" * (2 << 20), c="\0" * (1 << 20), quantize__imatrix__file="y" * 5000)
    assert facts.metadata["a"] == "x"
    assert facts.metadata["b"] == "[text of 2097152 characters]"
    assert len(str(facts.imatrix["file"])) == 200
    zero = model((Tensor("a", (0, 8), Q4_K),), general__file_type=15)
    assert (zero.parameters, zero.bits_per_weight, zero.warnings) == (0, None, ())


def test_json_is_that_of_the_command(ghosts: dict[str, Path]) -> None:
    nan = model(x__nan=Typed(ValueType.FLOAT32, float("nan")), x__text="a\x1bb\nc", x__list=strings(["a", "b"]))
    metadata = nan.as_json("f.gguf", "name", "label")["metadata"]
    assert (metadata["x.nan"], metadata["x.text"], metadata["x.list"]) == ("nan", "a\ufffdb\nc", "[string × 2]")
    answer = facts_at(ghosts["qwen3-30b-a3b"]).as_json("f.gguf", model="Qwen3-30B-A3B")
    json.dumps(answer, allow_nan=False)
    assert list(answer) == [
        "file", "architecture", "model", "quant", "parameters", "active_parameters", "bits_per_weight",
        "context_length", "layers", "experts", "tensor_types", "imatrix", "chat_template", "context_bytes_per_token",
        "metadata", "warnings",
    ]  # fmt: skip
    assert answer["model"] == "Qwen3-30B-A3B"
    assert answer["experts"] == {"count": 128, "used": 8}
    assert set(answer["tensor_types"]["Q4_K"]) == {"tensors", "bytes", "elements"}
