"""Processes of others: by what they map, by what they hold of cards, and gone between two reads."""

from __future__ import annotations

import asyncio
import mmap
import sys
from pathlib import Path

from qtui.core.hardware import Foreign, Gpu
from qtui.services.machine.foreign import EVERY_S, LEAST_MAPPED, ForeignProcesses

GIB = 1 << 30
PAGES = LEAST_MAPPED // mmap.PAGESIZE
MAPS = """55d0-55d9 r--p 00000000 08:01 131 /usr/bin/llama-server
7f00-7fff r--s 00000000 08:01 4242 /models/Qwen3-8B \\033-Q4_K_M.gguf
7fff-8000 rw-p 00000000 00:00 0 [stack]
"""


def put_process(root: Path, pid: int, name: str = "llama-server", maps: str = MAPS, shared: int = PAGES) -> Path:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(name + "\n")
    (folder / "statm").write_text(f"99999 {shared + 10} {shared} 1 0 5 0\n")
    (folder / "maps").write_text(maps)
    return folder


def test_a_process_that_maps_a_model(tmp_path: Path) -> None:
    put_process(tmp_path, 77)
    put_process(tmp_path, 78, "python", MAPS.replace("/models/Qwen3-8B \\033-Q4_K_M.gguf", "/lib/libc.so"))
    put_process(tmp_path, 79, "small", shared=PAGES - 1)
    put_process(tmp_path, 80, "ours")
    (tmp_path / "proc/uptime").write_text("1 1")
    found = ForeignProcesses(tmp_path).find([80], ())
    resident = (PAGES + 10) * mmap.PAGESIZE
    assert found == (Foreign(77, "llama-server", resident, None, "/models/Qwen3-8B \\033-Q4_K_M.gguf"),)


def test_blobs_of_ollama_and_deleted_files_are_models_too(tmp_path: Path) -> None:
    blob = f"/home/u/.ollama/models/blobs/sha256-{'0' * 64}"
    put_process(tmp_path, 77, maps=f"7f00-7fff r--s 00000000 08:01 1 {blob}\n")
    put_process(tmp_path, 78, maps="7f00-7fff r--s 00000000 08:01 1 /m/a.gguf (deleted)\n")
    found = ForeignProcesses(tmp_path).find([], ()) or ()
    assert {one.pid: one.file for one in found} == {77: blob, 78: "/m/a.gguf"}


def test_holders_of_graphics_memory_whoever_they_are(tmp_path: Path) -> None:
    put_process(tmp_path, 77, "ev\x1b[2Jil", shared=0)
    gpus = [
        Gpu(0, "a", None, None, processes=((77, GIB), (88, 2 * GIB), (5, GIB))),
        Gpu(1, "b", None, None, processes=((77, GIB), (99, None))),
    ]
    found = ForeignProcesses(tmp_path).find([5], gpus) or ()
    # 88 and 99 go by other numbers in this container; what the driver says of the first is all that is known.
    assert [(one.pid, one.vram) for one in found] == [(77, 2 * GIB), (88, 2 * GIB)]
    assert found[0].name == "ev\ufffd[2Jil"
    assert (found[1].name, found[1].resident) == ("?", None)


def test_it_looks_every_few_seconds_and_not_while_a_model_loads(tmp_path: Path) -> None:
    now = [100.0]
    processes = ForeignProcesses(tmp_path, lambda: now[0])
    assert processes.find([], ()) == ()
    put_process(tmp_path, 77)
    now[0] += EVERY_S - 0.1
    assert processes.find([], ()) == ()
    now[0] += 0.2
    assert processes.find([], (), rest=lambda: True) == ()
    assert [one.pid for one in processes.find([], ()) or ()] == [77]


def test_one_that_ends_between_two_reads_is_gone(tmp_path: Path) -> None:
    now = [100.0]
    processes = ForeignProcesses(tmp_path, lambda: now[0])
    folder = put_process(tmp_path, 77)
    assert processes.find([], ())
    for path in folder.iterdir():
        path.unlink()
    assert processes.find([], ()) == ()


async def test_a_real_process_that_maps_a_model(tmp_path: Path) -> None:
    model = tmp_path / "Tiny-Q8_0.gguf"
    model.write_bytes(bytes(2 * LEAST_MAPPED))
    code = (
        "import mmap, sys\n"
        "with open(sys.argv[1], 'rb') as f: m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
        "sum(m[i] for i in range(0, len(m), mmap.PAGESIZE)); print('ready', flush=True); sys.stdin.read()\n"
    )
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(model), stdin=pipe, stdout=pipe)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        assert await child.stdout.readline() == b"ready\n"
        found = {one.pid: one for one in ForeignProcesses().find([], ()) or ()}
        assert found[child.pid].file == str(model)
        resident = found[child.pid].resident
        assert resident is not None
        assert resident >= 2 * LEAST_MAPPED
        assert child.pid not in {one.pid for one in ForeignProcesses().find([child.pid], ()) or ()}
    finally:
        child.stdin.close()
        await child.wait()
