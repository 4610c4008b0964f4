"""The `llama-server` command that loads a variant as a plan says."""

from __future__ import annotations

import shlex
from pathlib import Path

from qtui.core.memory.options import flag
from qtui.core.memory.plan import ALL_LAYERS, AUTO, DEFAULT_CTX_SIZE, FlashAttention, LoadMode, LoadPlan

PROGRAM = "llama-server"


def server_arguments(plan: LoadPlan, path: Path) -> tuple[str, ...]:
    """Return the arguments of `llama-server` for a plan, without the program (common/arg.cpp of llama.cpp).

    What the plan leaves to llama.cpp is left out, but for what llama-server decides differently than qtui: it takes
    the whole trained context and four slots when nothing is said, and changes what is not said until it fits.
    A context of 0 is only known once the plan is resolved; here it becomes 8192, which llama-server caps per slot at
    what the model was trained to.
    """
    arguments = ["--model", _file(path), "--ctx-size", str(plan.ctx_size or DEFAULT_CTX_SIZE)]
    arguments += ["--parallel", str(plan.parallel)]
    if plan.n_gpu_layers != AUTO:
        arguments += ["--n-gpu-layers", "all" if plan.n_gpu_layers == ALL_LAYERS else str(plan.n_gpu_layers)]
    if plan.load_mode is not LoadMode.AUTO:
        arguments += ["--load-mode", plan.load_mode.value]
    default = LoadPlan()
    for name in ("cache_type_k", "cache_type_v", "threads", "threads_batch", "batch_size", "ubatch_size", "n_cpu_moe",
                 "main_gpu"):  # fmt: skip
        if getattr(plan, name) != getattr(default, name):
            arguments += [flag(name), str(getattr(plan, name))]
    if plan.flash_attn is not FlashAttention.AUTO:
        arguments += ["--flash-attn", plan.flash_attn.value]
    arguments += [flag(name) for name in ("cpu_moe", "no_kv_offload", "swa_full") if getattr(plan, name)]
    for pattern, buffer in plan.override_tensor:
        arguments += ["--override-tensor", f"{pattern}={buffer}"]
    if plan.tensor_split:
        arguments += ["--tensor-split", ",".join(f"{share:g}" for share in plan.tensor_split)]
    for file, scale in plan.lora:
        arguments += _adapter(file, scale)
    if plan.mmproj:
        arguments += ["--mmproj", _file(Path(plan.mmproj))]
    return (*arguments, "--fit", "off")


def server_command(plan: LoadPlan, path: Path) -> str:
    """Return the whole command as a line for a POSIX shell; control characters stand in it as `$'…'` escapes."""
    return " ".join(_quoted(word) for word in (PROGRAM, *server_arguments(plan, path)))


def _file(path: Path) -> str:
    """Return a path that is not taken for an option."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def _adapter(file: str, scale: float) -> list[str]:
    """Return an adapter's arguments; both flags take CSV, where a name is quoted as a field is."""
    name = _file(Path(file))
    if any(sign in name for sign in ',"'):
        name = '"' + name.replace('"', '""') + '"'
    return ["--lora", name] if scale == 1 else ["--lora-scaled", f"{name}:{scale:g}"]


def _quoted(word: str) -> str:
    """Quote for a POSIX shell; what a terminal would act on, and bytes that are no UTF-8, become escapes of bash."""
    if word.isprintable():
        return shlex.quote(word)
    escapes = {"'": "\\'", "\\": "\\\\"}
    signs = (
        escapes.get(sign, sign) if sign.isprintable() else "".join(f"\\x{byte:02x}" for byte in _bytes(sign))
        for sign in word
    )
    return "$'" + "".join(signs) + "'"


def _bytes(sign: str) -> bytes:
    return sign.encode("utf-8", "surrogateescape")
