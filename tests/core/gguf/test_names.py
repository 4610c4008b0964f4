from __future__ import annotations

import csv

import pytest

from qtui.core.gguf.names import parse_name, quant_note
from qtui.core.library.variant import Role
from tests.conftest import HERE

with (HERE / "data" / "names.tsv").open(newline="") as table:
    ROWS = list(csv.reader(table, delimiter="\t"))[1:]

# One row's importance matrix is known from the repository only: its publisher keeps two of them per model.
REPOSITORIES = {"MoNeuTrix-MoE-4x7B.Q3_K_L.gguf": "mradermacher/MoNeuTrix-MoE-4x7B-GGUF"}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_publishers_names(row: list[str]) -> None:
    path, quant, base, parameters, shard, imatrix, role = row
    parsed = parse_name(path, REPOSITORIES.get(path, ""))
    shown = "-" if parsed.shard is None else f"{parsed.shard[0]}/{parsed.shard[1] or '?'}"
    assert (parsed.quant or "-", parsed.base or "-", parsed.parameters or "-", shown, parsed.role) == (
        quant, base, parameters, shard, role,
    )  # fmt: skip
    assert parsed.imatrix is {"y": True, "n": False}.get(imatrix)


def test_the_table_is_whole() -> None:
    assert len(ROWS) >= 67
    assert {row[6] for row in ROWS} >= {"model", "mmproj", "imatrix", "rawpart", "draft", "embedding", "vocab"}


@pytest.mark.parametrize(
    ("path", "quant", "base", "role"),
    [
        ("Qwen3.6-27B-Q8_0-mtp.gguf", "Q8_0", "Qwen3.6-27B", Role.MODEL),
        ("unsloth.Q4_K_M.gguf", "Q4_K_M", None, Role.MODEL),
        ("Some-Model-8B-Q4_K_M-imatrix.gguf", "Q4_K_M", "Some-Model-8B", Role.MODEL),
        ("/home/u/models/Q5_K_M/Some 7B q5_k_m.GGUF", "Q5_K_M", "Some 7B", Role.MODEL),
        ("model-fp32.gguf", "F32", "model", Role.MODEL),
        ("snapshots/0123456789abcdef0123456789abcdef01234567/ggml-model-f16.gguf", "F16", None, Role.MODEL),
        ("a-00004-of-00003.gguf", None, "a-00004-of-00003", Role.MODEL),
        ("a-00001-of-02000.gguf", None, "a-00001-of-02000", Role.MODEL),
        ("X.gguf.a", None, "X", Role.RAWPART),
        ("X-eagle3.gguf", None, "X", Role.DRAFT),
        (".gguf", None, None, Role.MODEL),
        ("", None, None, Role.MODEL),
    ],
)
def test_more_names(path: str, quant: str | None, base: str | None, role: Role) -> None:
    parsed = parse_name(path)
    assert (parsed.quant, parsed.base, parsed.role) == (quant, base, role)


@pytest.mark.parametrize("name", ["Llama-3-8B-Instruct-4k-Q4_0", "Phi-3-mini-128k-instruct-fp16"])
def test_a_context_length_is_no_parameter_count(name: str) -> None:
    assert parse_name(name + ".gguf").parameters in ("8B", None)


def test_labels_that_cannot_be_loaded_say_so() -> None:
    assert "use Q4_0" in quant_note("Q4_0_4_4")
    assert "ik_llama.cpp" in quant_note("smol-IQ4_KSS")
    assert "ik_llama.cpp" in quant_note("Q4_0_R8")
    assert quant_note("UD-Q4_K_XL") == ""
    assert quant_note("IQ4_XS") == ""


@pytest.mark.parametrize("text", ["-" * 255, "Q4_K_M-" * 36, "a.gguf" * 40, "x-00001-of-" * 23, "1" * 255, "\n\x1b[2J"])
def test_any_name_is_parsed_at_once(text: str) -> None:
    assert parse_name(text + ".gguf").role in Role
