"""The `llama-server` command that loads a variant as a plan says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from qtui.core.errors import UsageError
from qtui.core.memory.options import flag
from qtui.core.memory.plan import ALL_LAYERS, AUTO, DEFAULT_CTX_SIZE, FlashAttention, LoadMode, LoadPlan
from qtui.core.text import clean_name

PROGRAM = "llama-server"


def server_arguments(plan: LoadPlan, path: Path) -> tuple[str, ...]:
    """Return the arguments of `llama-server` for a plan, without the program (common/arg.cpp of llama.cpp).

    What the plan leaves to llama.cpp is left out, but for what llama-server decides differently than qtui: it takes
    the whole trained context and four slots when nothing is said, and changes what is not said until it fits.
    A context of 0 is only known once the plan is resolved; here it becomes 8192, which llama-server caps per slot at
    what the model was trained to.

    Raises:
        UsageError: llama-server has no way to say it; the hint tells what to change.
    """
    arguments = ["--model", _file(path), "--ctx-size", str(plan.ctx_size or DEFAULT_CTX_SIZE)]
    arguments += ["--parallel", str(plan.parallel)]
    if plan.parallel > 1:  # llama-server divides the context where the slots are counted out to it
        arguments.append("--kv-unified")
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
    if plan.override_tensor:
        rules = (f"{_pattern(pattern)}={buffer}" for pattern, buffer in plan.override_tensor)
        arguments += ["--override-tensor", ",".join(rules)]
    if plan.tensor_split:
        arguments += ["--tensor-split", ",".join(f"{share:g}" for share in plan.tensor_split)]
    plain = [_csv(_file(Path(file))) for file, scale in plan.lora if scale == 1]
    scaled = [_scaled(_file(Path(file)), scale) for file, scale in plan.lora if scale != 1]
    arguments += ["--lora", ",".join(plain)] if plain else []
    arguments += ["--lora-scaled", ",".join(scaled)] if scaled else []
    if plan.mmproj:
        arguments += ["--mmproj", _file(Path(plan.mmproj))]
    return (*arguments, "--fit", "off", *plan.extra_arguments())


def server_command(plan: LoadPlan, path: Path) -> str:
    """Return the whole command as a line for a POSIX shell; control characters stand in it as `$'…'` escapes.

    Raises:
        UsageError: llama-server has no way to say it.
    """
    return " ".join(_quoted(word) for word in (PROGRAM, *server_arguments(plan, path)))


def _file(path: Path) -> str:
    """Return a path that is not taken for an option."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def _csv(name: str) -> str:
    """Return a name as one field of the row of CSV that `--lora` takes."""
    return '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"') else name


def _scaled(name: str, scale: float) -> str:
    if ":" in name:
        raise UsageError(
            f"llama-server cannot be told to scale {clean_name(name)}: its option divides at every colon",
            "rename the adapter, or give it the scale 1",
        )
    return f"{_csv(name)}:{scale:g}"


def _pattern(pattern: str) -> str:
    """Return an expression without comma and equals sign, which llama-server divides its option at."""
    if re.search(r"\{\d*,\d*\}|\(\?<?=", pattern):
        raise UsageError(
            f"llama-server cannot be given the expression {clean_name(pattern)}: its option divides at , and =",
            "write it without {m,n} and lookahead",
        )
    return re.sub(r"\\?([,=])|\\.", lambda match: f"\\x{ord(match[1]):02x}" if match[1] else match[0], pattern)


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
    return sign.encode("utf-8", "surrogateescape" if "\udc80" <= sign <= "\udcff" else "surrogatepass")
