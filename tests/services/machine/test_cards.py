"""Cards of both makers from files, whole samples of them, and what is missing on each."""

from __future__ import annotations

import importlib.util
import json
import shutil
import struct
from pathlib import Path

import pytest

from qtui.core.hardware import Gpu, Throttle
from qtui.services.machine.amdgpu import amd_cards, throttled
from qtui.services.machine.machine import LocalMachine
from qtui.services.machine.nvml import NvmlError, read_cards
from tests.services.machine.made import FOLDER, nvml_cards, put_files
from tests.services.machine.test_nvml import FakeCards

GIB = 1 << 30
DEVICE = "sys/class/drm/card1/device"


def test_two_nvidia_cards() -> None:
    cards = read_cards(nvml_cards("made_nvml_two_cards"), [4242])
    first, second = cards.gpus
    assert cards.problems == ()
    assert first.processes == ((4242, 1536 << 20), (5151, 4 * GIB), (900, None))
    assert first.used_by_us == 1536 << 20
    assert first.throttled == (Throttle.HEAT, Throttle.POWER_CAP)
    assert (second.busy, second.throttled, second.used_by_us) == (0.0, (), 0)


def test_a_divided_card_tells_less_and_that_is_said() -> None:
    cards = read_cards(nvml_cards("made_nvml_mig"), [1])
    (gpu,) = cards.gpus
    assert (gpu.divided, gpu.busy, gpu.used_by_us, gpu.temperature) == (True, None, None, 31)
    assert cards.problems == ("NVML: processes of GPU 0: No Permission",)


def test_an_amd_card_with_its_processes(tmp_path: Path) -> None:
    put_files("made_amdgpu_rx7900xtx", tmp_path)
    (gpu,) = amd_cards(1, [4711, 4712], tmp_path)
    held = 8 * GIB + (512 << 20)
    assert gpu == Gpu(
        1, "Radeon RX 7900 XTX", 25753026560, 25753026560 - 9 * GIB, "5f1a0b2c3d4e5f60", held, ((4711, held),),
        98.0, 71, 291.0, (Throttle.POWER_CAP, Throttle.HEAT),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ("mem_info_vram_used", "free"),
        ("gpu_busy_percent", "busy"),
        ("gpu_metrics", "throttled"),
        ("hwmon", "temperature"),
        ("hwmon", "power"),
    ],
)
def test_what_an_amd_card_does_not_tell_is_unknown(tmp_path: Path, file: str, field: str) -> None:
    put_files("made_amdgpu_rx7900xtx", tmp_path)
    path = tmp_path / DEVICE / file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    (gpu,) = amd_cards(0, (), tmp_path)
    assert getattr(gpu, field) is None
    assert gpu.total == 25753026560


def test_a_card_without_a_name_goes_by_its_device(tmp_path: Path) -> None:
    put_files("made_amdgpu_rx7900xtx", tmp_path)
    for name in ("product_name", "unique_id"):
        (tmp_path / DEVICE / name).unlink()
    (gpu,) = amd_cards(0, (), tmp_path)
    assert (gpu.name, gpu.uuid) == ("AMD GPU 0x744c", "0000:03:00.0")


def test_power_of_newer_cards_is_read_from_its_input(tmp_path: Path) -> None:
    put_files("made_amdgpu_rx7900xtx", tmp_path)
    sensors = tmp_path / DEVICE / "hwmon/hwmon4"
    (sensors / "power1_average").rename(sensors / "power1_input")
    assert amd_cards(0, (), tmp_path)[0].power == 291.0


def metrics(status: int, layout: int = 1, content: int = 3, size: int = 120, length: int = 120) -> bytes:
    return (struct.pack("<HBB", size, layout, content).ljust(112, b"\0") + struct.pack("<Q", status)).ljust(length)[
        :length
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (metrics(0), ()),
        (metrics(1 << 0), (Throttle.POWER_CAP,)),
        (metrics(1 << 16), (Throttle.CURRENT,)),
        (metrics(1 << 36), (Throttle.HEAT,)),
        (metrics(2**64 - 1), None),
        (metrics(1, content=1), None),
        (metrics(1, layout=2), None),
        (metrics(1, size=80), None),
        (metrics(1, size=4000), None),
        (metrics(1, length=100), None),
        (b"", None),
    ],
    ids=["nothing", "power", "current", "heat", "ones", "v1.1", "v2.3", "short", "long", "cut", "empty"],
)
def test_the_table_of_metrics(content: bytes, told: tuple[Throttle, ...] | None) -> None:
    assert throttled(content) == told


def test_without_amd_cards_there_are_none(tmp_path: Path) -> None:
    assert amd_cards(0, [1], tmp_path) == ()


async def test_a_sample_has_the_cards_of_both_makers_counted_on(tmp_path: Path) -> None:
    put_files("made_amdgpu_rx7900xtx", tmp_path)
    sample = await LocalMachine(nvml_cards("made_nvml_two_cards"), lambda: [4711], tmp_path).sample()
    assert [(gpu.index, gpu.name.split()[0]) for gpu in sample.gpus] == [(0, "NVIDIA"), (1, "NVIDIA"), (2, "Radeon")]


async def test_an_empty_list_of_processes_in_a_container(tmp_path: Path) -> None:
    reader = nvml_cards("made_nvml_two_cards")
    reader.cards[0]["processes"] = []
    sample = await LocalMachine(reader, lambda: [4242], tmp_path).sample()
    assert sample.gpus[0].processes == ()


async def test_a_card_that_is_lost_in_mid_run(tmp_path: Path) -> None:
    reader = nvml_cards("made_nvml_two_cards")
    machine = LocalMachine(reader, lambda: [4242], tmp_path)
    assert (await machine.sample()).gpus[0].free is not None
    reader.cards[0]["memory"] = NvmlError("GPU is lost", lost=True)
    sample = await machine.sample()
    assert [gpu.free is None for gpu in sample.gpus] == [True, False]
    assert "NVML: GPU 0 is lost: GPU is lost" in sample.problems


async def test_without_a_driver_there_is_one_sentence(tmp_path: Path) -> None:
    sample = await LocalMachine(FakeCards(failure=NvmlError("no NVIDIA driver library")), root=tmp_path).sample()
    assert (sample.gpus, [said for said in sample.problems if "NVML" in said]) == (
        (),
        ["NVML: no NVIDIA driver library"],
    )


def test_the_recorder_writes_what_the_tests_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).parents[3] / "scripts" / "record_nvml.py"
    spec = importlib.util.spec_from_file_location("record_nvml", path)
    assert spec is not None
    assert spec.loader is not None
    recorder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recorder)
    monkeypatch.setattr(recorder, "DriverReader", lambda: nvml_cards("made_nvml_mig"))
    assert recorder.main() == 0
    written = json.loads(capsys.readouterr().out)["cards"]
    made = json.loads((FOLDER / "made_nvml_mig.json").read_text())["cards"]
    assert [{**card, "uuid": ""} for card in written] == [{**card, "uuid": ""} for card in made]
