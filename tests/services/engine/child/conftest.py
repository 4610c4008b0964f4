"""Children for this folder's tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import gguf
import numpy
import pytest

from qtui.core.memory.plan import LoadPlan
from tests.conftest import DEMO_F16, write_ghost
from tests.services.engine.child.harness import Child


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A child that has loaded nothing."""
    with Child(tmp_path / "child.log") as started:
        yield started


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[[], Child]]:
    """As many more children as are asked for."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Child(tmp_path / f"child-{time.monotonic_ns()}.log"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A child with the demo model loaded, for tests that leave it ready for the next."""
    with Child(tmp_path_factory.mktemp("demo") / "child.log") as started:
        started.load(DEMO_F16, LoadPlan(ctx_size=8192, threads=1))
        yield started


@pytest.fixture(scope="session")
def wakened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A small test header by name, its weights random instead of zero: what such a model writes depends on its past."""
    folder = tmp_path_factory.mktemp("wakened")

    def waken(name: str) -> Path:
        path = folder / f"{name}.gguf"
        if not path.exists():
            write_ghost(name, folder)
            generator = numpy.random.default_rng(7)
            for tensor in gguf.GGUFReader(path, "r+").tensors:
                assert tensor.data.dtype == numpy.float32
                middle = 1.0 if "norm" in tensor.name else 0.0
                tensor.data[:] = generator.normal(middle, 0.15, tensor.data.shape)
        return path

    return waken
