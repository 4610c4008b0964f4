"""How fast llama.cpp's kernels read here: measured for real once, then remembered; and children that do not answer."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from qtui.core.errors import EngineError
from qtui.core.gguf.types import TYPE_IDS
from qtui.core.memory.rate_question import MeasuredRates
from qtui.core.memory.speed import CPU, AttentionKernel, Kernel, MatrixKernel
from qtui.core.text import MIB
from qtui.core.wire import encode
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.read_speeds import ReadSpeeds

Q8, Q4 = MatrixKernel(CPU, TYPE_IDS["Q8_0"], False), MatrixKernel(CPU, TYPE_IDS["Q4_0"], True)
ATTENTION = AttentionKernel(CPU, "f16", "f16", 64, 64, 8, 2)


async def machine() -> tuple[str, ...]:
    return ("A processor", "1 (abc)")


async def another() -> tuple[str, ...]:
    return ("Another", "1 (abc)")


def saying(folder: Path, answer: MeasuredRates | str) -> tuple[str, ...]:
    """Return the command of a child that counts its starts and prints one line."""
    script = folder / "child.py"
    text = answer if isinstance(answer, str) else encode(answer)
    script.write_text(f"open({str(folder / 'starts')!r}, 'a').write('x')\nprint({text!r})\n")
    return (sys.executable, str(script))


async def test_real_kernels_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rates.json"
    speeds = ReadSpeeds(machine, path)
    features = (await BuiltInEngine().info()).features
    kernels: list[Kernel] = [Q8, ATTENTION, *([Q4] if {"REPACK", "AVX2"} <= set(features) else [])]
    found = await speeds.rates(kernels, 1)
    assert all(found.kernels[kernel.key] > MIB for kernel in kernels)
    assert 0 < found.step < 0.1
    if found.busy:  # nothing is remembered of a machine that has other things to do
        assert not path.exists()
        return
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = ReadSpeeds(machine, path, command=("/nonexistent/child",))
    assert await again.rates(kernels, 1) == found
    with pytest.raises(EngineError, match="cannot be started"):  # other threads are another question
        await again.rates(kernels, 2)
    with pytest.raises(EngineError, match="cannot be started"):
        await ReadSpeeds(another, path, command=("/nonexistent/child",)).rates(kernels, 1)


async def test_a_device_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="there is no GPU 15"):
        await ReadSpeeds(machine, tmp_path / "r.json").rates([MatrixKernel(15, TYPE_IDS["F16"], False)], 1)


async def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    first = ReadSpeeds(machine, path, saying(tmp_path, MeasuredRates(((Q8.key, 1e9),), 1e-6)))
    assert (await first.rates([Q8], 4)).kernels == {Q8.key: 1e9}
    second = ReadSpeeds(machine, path, saying(tmp_path, MeasuredRates(((Q4.key, 2e9),), 2e-6)))
    assert (await second.rates([Q8, Q4], 4)).kernels == {Q8.key: 1e9, Q4.key: 2e9}
    assert (await second.rates([Q4], 4)).step == 2e-6
    assert (tmp_path / "starts").read_text() == "xx"


async def test_what_a_busy_machine_did_is_told_and_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    busy = ReadSpeeds(machine, path, saying(tmp_path, MeasuredRates(((Q8.key, 1e8),), 1e-5, share=0.4)))
    found = await busy.rates([Q8], 4)
    assert (found.busy, found.kernels, path.exists()) == (True, {Q8.key: 1e8}, False)
    again = await busy.rates([Q8], 4)  # a busy machine is not kept busier by asking it again and again
    assert (again.busy, again.kernels, (tmp_path / "starts").read_text()) == (True, {Q8.key: 1e8}, "x")
    calm = ReadSpeeds(machine, path, saying(tmp_path, MeasuredRates(((Q8.key, 1e9),), 1e-6)))
    assert (await calm.rates([Q8], 4)).kernels == {Q8.key: 1e9}
    assert path.exists()


async def test_a_busy_machine_never_makes_a_figure_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rates.json"
    speeds = ReadSpeeds(machine, path, saying(tmp_path, MeasuredRates(((Q8.key, 1e9),), 1e-6, share=0.8)))
    assert (await speeds.rates([Q8], 4)).kernels == {Q8.key: 1e9}
    monkeypatch.setattr("qtui.services.engine.read_speeds.BUSY_S", -1.0)  # all of it is old at once
    saying(tmp_path, MeasuredRates(((Q8.key, 1e8),), 1e-5, share=0.2))
    found = await speeds.rates([Q8], 4)
    assert (found.busy, found.kernels, found.step) == (True, {Q8.key: 1e9}, 1e-6)
    saying(tmp_path, MeasuredRates(((Q8.key, 9e8),), 2e-6))  # it is quiet now: that counts, and stays
    found = await speeds.rates([Q8], 4)
    assert (found.busy, found.kernels, found.step) == (False, {Q8.key: 9e8}, 2e-6)
    path.unlink()
    saying(tmp_path, MeasuredRates(((Q4.key, 1e8),), 1e-5, share=0.2))
    found = await speeds.rates([Q8, Q4], 4)
    assert (found.busy, found.kernels, found.step) == (True, {Q8.key: 9e8, Q4.key: 1e8}, 2e-6)
    assert (tmp_path / "starts").read_text() == "xxxx"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "nonsense",
        MeasuredRates(((Q8.key, 0.0),), 1.0),
        MeasuredRates(((Q4.key, 1.0),), 1.0),
        MeasuredRates((), 0.0),
    ],
)
async def test_a_child_that_answers_nonsense_is_a_sentence(tmp_path: Path, answer: MeasuredRates | str) -> None:
    speeds = ReadSpeeds(machine, tmp_path / "rates.json", saying(tmp_path, answer))
    with pytest.raises(EngineError, match="cannot be measured"):
        await speeds.rates([Q8], 1)
    assert not (tmp_path / "rates.json").exists()


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"version": 1}', '{"version": 9, "rates": {}}', '{"version": 1, "rates": {"A processor": 3}}'],
)
async def test_a_damaged_cache_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rates.json"
    path.write_text(content)
    speeds = ReadSpeeds(machine, path, saying(tmp_path, MeasuredRates(((Q8.key, 1e9),), 1e-6)))
    assert (await speeds.rates([Q8], 1)).kernels == {Q8.key: 1e9}
    assert json.loads(path.read_text())["version"] == 1


async def test_a_disk_is_read_past_the_page_cache(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (16 * MIB))
    rate = await ReadSpeeds(machine).disk(path)
    assert rate is None or rate > MIB  # some file systems have no direct reads
    assert await ReadSpeeds(machine).disk(tmp_path / "missing") is None
