"""Build llama.cpp's own tools from the source inside llama-cpp-python's source distribution.

They are what qtui is compared with in tests marked `oracle`. Built once into the user's cache folder, by llama.cpp
commit; prints the folder of the binaries. `--where` only prints it, and exits 1 when they are not there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import platformdirs

TOOLS = (
    "llama-bench", "llama-server", "llama-perplexity", "llama-quantize", "llama-imatrix", "llama-fit-params",
    "ggml-rpc-server",
)  # fmt: skip
# The source distribution carries no commit: these are read off upstream's submodule pins.
COMMITS = {"0.3.36": "0c1e57098bba"}


def folder() -> Path:
    """Return where the tools of the installed llama-cpp-python's source lie."""
    installed = version("llama-cpp-python")
    commit = COMMITS.get(installed, f"llama-cpp-python-{installed}")
    return Path(platformdirs.user_cache_dir("qtui")) / "oracle" / commit


def complete(binaries: Path) -> bool:
    """Tell whether every tool is there."""
    return all((binaries / tool).is_file() for tool in TOOLS)


def fetch(into: Path) -> Path:
    """Download and unpack the source distribution; returns llama.cpp's folder."""
    installed = version("llama-cpp-python")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python",
         f"llama-cpp-python=={installed}", "--dest", str(into)],
        check=True,
    )  # fmt: skip
    archive = next(into.glob("*.tar.gz"))
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return next(into.glob("*/vendor/llama.cpp"))


def build(binaries: Path) -> None:
    """Configure, build the tools, and move the result into place as a whole."""
    binaries.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="qtui-oracle-") as scratch:
        source = fetch(Path(scratch))
        out = Path(scratch) / "build"
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        env = {**os.environ, "PATH": path}
        off = (
            "BUILD_SHARED_LIBS", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_APP",
            "LLAMA_USE_PREBUILT_UI", "LLAMA_BUILD_UI", "LLAMA_OPENSSL",
        )  # fmt: skip
        defines = ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_RPC=ON", *(f"-D{option}=OFF" for option in off)]
        subprocess.run(["cmake", "-G", "Ninja", "-S", source, "-B", out, *defines], check=True, env=env)
        subprocess.run(["cmake", "--build", out, "--target", *TOOLS], check=True, env=env)
        staged = binaries.with_name(binaries.name + ".part")
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        for tool in TOOLS:
            shutil.copy2(out / "bin" / tool, staged / tool)
        shutil.rmtree(binaries, ignore_errors=True)
        staged.rename(binaries)


def main() -> int:
    """Build what is missing and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--where", action="store_true", help="print the folder; exit 1 when it has no tools")
    arguments = parser.parse_args()
    binaries = folder()
    if not complete(binaries) and not arguments.where:
        build(binaries)
    print(binaries)
    return 0 if complete(binaries) else 1


if __name__ == "__main__":
    raise SystemExit(main())
