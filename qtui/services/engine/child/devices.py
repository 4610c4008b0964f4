"""The child that tells what the built-in engine is: build, devices, CPU features. One line (EngineInfo), then it ends.

A child of its own, since listing the devices of a GPU build takes 100 to 550 MiB of VRAM for as long as it lives.
"""

from __future__ import annotations

import ctypes
import re
import sys
from typing import Any

from qtui.core.errors import EngineError
from qtui.core.hardware import Device, DeviceKind, EngineInfo
from qtui.core.text import clean, clean_name
from qtui.core.wire import encode
from qtui.services.engine.child.native import Native, claim_stdout, harden, open_native, version

NAME = "built-in"
KINDS = {0: DeviceKind.CPU, 1: DeviceKind.GPU, 2: DeviceKind.IGPU, 3: DeviceKind.ACCEL}
"""`enum ggml_backend_dev_type` (ggml-backend.h); 4 combines other devices and is none of its own."""


def describe(native: Native) -> EngineInfo:
    """Return what this build of llama.cpp is and can use."""
    return EngineInfo(
        NAME,
        build=_build(native),
        version=version(),
        devices=_devices(native),
        features=features(_text(native.symbol("llama_print_system_info", ctypes.c_char_p)())),
        problem=native.problem,
    )


def features(system_info: str) -> tuple[str, ...]:
    """Return the CPU features in use from `CUDA : ARCHS = 900 | CPU : AVX2 = 1 | FMA = 1 | `."""
    cpu = re.search(r"\bCPU : (.*?)(?:\b[A-Za-z]\w* : |$)", system_info, re.DOTALL)
    found = re.findall(r"([A-Za-z]\w*) = (\d+)", cpu[1] if cpu else "")
    return tuple(clean_name(name) for name, value in found if value != "0")


def _build(native: Native) -> str:
    try:
        commit = _text(native.symbol("ggml_commit", ctypes.c_char_p)())
    except AttributeError:
        commit = ""
    return f"{native.build} ({commit})" if commit and commit not in native.build else native.build


def _devices(native: Native) -> tuple[Device, ...]:
    handle = ctypes.c_void_p
    count = native.symbol("ggml_backend_dev_count", ctypes.c_size_t)()
    get = native.symbol("ggml_backend_dev_get", handle, ctypes.c_size_t)
    kind = native.symbol("ggml_backend_dev_type", ctypes.c_int, handle)
    name = native.symbol("ggml_backend_dev_name", ctypes.c_char_p, handle)
    description = native.symbol("ggml_backend_dev_description", ctypes.c_char_p, handle)
    size = ctypes.POINTER(ctypes.c_size_t)
    memory = native.symbol("ggml_backend_dev_memory", None, handle, size, size)
    found: list[Device] = []
    for index in range(count):
        device = get(index)
        if kind(device) not in KINDS:
            continue
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        found.append(
            Device(
                clean_name(_text(name(device))),
                clean_name(_text(description(device))),
                KINDS[kind(device)],
                total.value or None,  # a backend that cannot tell leaves both zero
                free.value if total.value else None,
            )
        )
    return tuple(found)


def _text(raw: Any) -> str:
    return clean((raw or b"").decode("utf-8", "replace")).strip()


def main() -> int:
    """Tell what the engine is, or why there is none."""
    protocol = claim_stdout()
    harden()
    try:
        info = describe(open_native(echo=sys.stderr))
    except EngineError as error:
        info = EngineInfo(NAME, version=version(), problem=f"{error.message}; {error.hint}", usable=False)
    protocol.write(encode(info))
    protocol.flush()
    return 0 if info.usable else 1


if __name__ == "__main__":
    raise SystemExit(main())
