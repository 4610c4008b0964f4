"""Fixtures that the whole suite shares: model files, and headers expanded to sparse files of their real size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.skips import ALLOWED, Skips, read

HERE = Path(__file__).parent
HEADERS = HERE / "data" / "headers"
HEADER_SIZES: dict[str, int] = json.loads((HEADERS / "sizes.json").read_text())
HEADER_NAMES = tuple(sorted(HEADER_SIZES))
"""Twelve small files of twelve architectures, and eight real model shapes."""
SHARED = Path(os.environ.get("QTUI_SHARED", HERE.parent.parent / "shared"))
"""More test models, where a checkout has them beside it."""
DEMO_F16 = HERE.parent / "qtui" / "data" / "demo" / "qtui-demo-F16.gguf"


def pytest_configure(config: pytest.Config) -> None:
    """Watch what is skipped; where several processes share the tests, the one that they report to does."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Skips(read(ALLOWED)), "qtui-skips")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what hostile strings leave in captured logs: a lone surrogate cannot be sent to another process."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


def write_ghost(name: str, folder: Path) -> Path:
    """Write one header of `tests/data/headers` as a sparse file of the size that the real file has."""
    path = folder / f"{name}.gguf"
    path.write_bytes((HEADERS / f"{name}.header").read_bytes())
    os.truncate(path, HEADER_SIZES[name])
    return path


@pytest.fixture(scope="session")
def ghosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every header as a sparse file, by name."""
    folder = tmp_path_factory.mktemp("ghosts")
    return {name: write_ghost(name, folder) for name in HEADER_NAMES}


@pytest.fixture(scope="session")
def demo_f16() -> Path:
    """The embedded demo model: really trained, answers sums."""
    return DEMO_F16


@pytest.fixture(scope="session")
def stories() -> Path:
    """stories260K, which is not shipped."""
    path = SHARED / "models" / "stories260K-F32.gguf"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in the shared folder")
    return path


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for every test: no test reads or writes the user's files."""
    home = tmp_path_factory.mktemp("home")
    for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(home / variable.lower()))
        (home / variable.lower()).mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(home / "huggingface"))
    for variable in ("HF_HUB_CACHE", "HF_TOKEN", "HF_ENDPOINT", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    yield home


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The folder of llama.cpp's own tools (`make oracle`). Asked before any test has a home of its own."""
    found = subprocess.run(
        [sys.executable, str(HERE.parent / "scripts" / "oracle.py"), "--where"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        pytest.skip("needs llama.cpp's tools: make oracle")
    return Path(found.stdout.strip())
