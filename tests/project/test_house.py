"""The house rules: who may import whom, what a module looks like, and what no file may hold."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import qtui

ROOT = Path(__file__).parent.parent.parent
MODULES = sorted((ROOT / "qtui").rglob("*.py"))
LINES = 400
DOORS = {
    "llama_cpp": ("qtui/services/engine/child/",),
    "numpy": ("qtui/services/engine/child/",),
    "jinja2": ("qtui/services/engine/child/",),
    "psutil": ("qtui/services/machine/",),
    "pynvml": ("qtui/services/machine/",),
    "huggingface_hub": ("qtui/services/hub/", "qtui/services/downloads/"),
    "httpx2": ("qtui/services/hub/",),
    "tomlkit": ("qtui/services/toml_edit.py",),
    "platformdirs": ("qtui/services/paths.py",),
    "starlette": ("qtui/services/serving/",),
    "uvicorn": ("qtui/services/serving/",),
    "textual": ("qtui/ui/",),
    "rich": ("qtui/ui/",),
    "markdown_it": ("qtui/ui/widgets/",),
}
"""Every third-party library, and the only places that may import it."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the package in a folder."""
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()",
         "--no-cache", "--no-logo"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, those inside of functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def tracked() -> list[Path]:
    """Return the files of the repository; those on disk where there is no repository (a source archive)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        return [path for folder in ("qtui", "tests", "docs", "scripts") for path in (ROOT / folder).rglob("*.*")]
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that a test may spoil."""
    shutil.copytree(ROOT / "qtui", tmp_path / "qtui", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_are_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/text.py", "import qtui.services.paths", "core imports the standard library and itself"),
        ("core/text.py", "import psutil", "core imports the standard library and itself"),
        ("services/paths.py", "import rich.text", "services know neither the terminal nor the wiring"),
        ("ui/app.py", "import qtui.services.paths", "the ui knows core and Textual only"),
        ("ui/widgets/__init__.py", "import qtui.ui.app", "widgets, places and panels do not know the app"),
        ("ui/widgets/__init__.py", "import qtui.ui.places", "widgets know no place"),
        ("services/paths.py", "import qtui.services.engine.child.native", "nothing imports a child"),
        ("services/engine/child/native.py", "import qtui.services.paths", "a child knows core and no other service"),
        ("services/engine/child/native.py", "import qtui.services.engine.quantise", "a child knows core"),
        ("services/paths.py", "import qtui.services.downloads.child.web", "nothing imports the child that downloads"),
        ("services/downloads/child/web.py", "import qtui.services.paths", "the child that downloads knows core"),
        ("services/downloads/child/web.py", "import qtui.services.hub.store", "the child that downloads knows core"),
        ("services/paths.py", "import llama_cpp", "llama_cpp, numpy and jinja2 are for the children"),
        ("cli/main.py", "import psutil", "psutil and pynvml have one door"),
        ("services/paths.py", "import httpx2", "huggingface_hub has two doors, its HTTP library one"),
        ("services/paths.py", "import huggingface_hub", "huggingface_hub has two doors, its HTTP library one"),
        ("cli/main.py", "import platformdirs", "platformdirs and tomlkit have one door each"),
        ("cli/main.py", "import starlette", "Starlette and uvicorn are for the endpoint"),
        ("services/paths.py", "import uvicorn", "Starlette and uvicorn are for the endpoint"),
        ("cli/main.py", "import textual", "only the ui imports Textual and rich"),
        ("ui/places/__init__.py", "import markdown_it", "the Markdown parser is for widgets"),
    ],
)
def test_a_violation_is_caught(copy: Path, module: str, line: str, contract: str) -> None:
    path = copy / "qtui" / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    done = lint_imports(copy)
    assert done.returncode != 0
    broken = [row for row in done.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), done.stdout + done.stderr


def test_every_library_comes_in_by_its_door() -> None:
    strays = []
    for path in MODULES:
        place = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top == "qtui":
                continue
            if not place.startswith(DOORS.get(top, ())) or (top == "rich" and name != "rich.text"):
                strays.append(f"{place}: {name}")
    assert strays == []


def test_every_dependency_has_a_door() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in project["dependencies"]}  # type: ignore[index]
    modules = {"nvidia_ml_py": "pynvml", "llama_cpp_python": "llama_cpp", "markdown_it_py": "markdown_it"}
    # numpy comes with llama-cpp-python, rich with Textual.
    assert {modules.get(name, name) for name in names} | {"numpy", "rich"} == set(DOORS)


def test_the_command_starts_without_the_heavy_libraries() -> None:
    script = "import sys, qtui.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "qtui" in loaded
    assert (
        loaded & {"llama_cpp", "huggingface_hub", "httpx2", "textual", "rich", "numpy", "jinja2", "psutil", "pynvml"}
        == set()
    )


def test_modules_are_small_and_annotated() -> None:
    large = {path.relative_to(ROOT): count for path in MODULES if (count := path.read_text().count("\n")) > LINES}
    assert large == {}
    bare = [
        path.relative_to(ROOT)
        for path in [*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
        if path.name != "__init__.py" and "from __future__ import annotations\n" not in path.read_text()
    ]
    assert bare == []


def test_importing_a_module_does_no_work(private_home: Path) -> None:
    """Every module outside of the children imports without a file being opened for writing or a process started."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if "child" not in path.parts and path.name != "__main__.py"
    ]
    script = (
        "import sys, importlib\n"
        "sys.dont_write_bytecode = True\n"
        "def refuse(event, arguments):\n"
        "    writes = event == 'open' and isinstance(arguments[1], str) and set(arguments[1]) & set('wax+')\n"
        "    if writes or event in ('subprocess.Popen', 'os.mkdir', 'os.fork', 'socket.connect'):\n"
        "        sys.exit(f'{event} {arguments}')\n"
        "sys.addaudithook(refuse)\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print('imported', len(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("imported")
    assert list(private_home.rglob("*.*")) == []


def test_no_file_names_this_machine_or_a_registry() -> None:
    forbidden = [
        re.compile(re.escape(f"{ROOT}/")),
        re.compile(r"(?<![\w~.])/root/"),
        re.compile(r"/(?:home|Users)/(?!user/|USER/|you/|me/|u/)[A-Za-z][\w.-]*/"),
        re.compile(r"https?://[^\s\"')]*/simple\b|files\.pythonhosted\.org|(?<!extra-)index-url|find-links", re.I),
    ]
    found = []
    for path in tracked():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for rule in forbidden for match in rule.finditer(text)]
    assert found == []


def test_constraints_name_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+]+", line)] == []
    assert not any(line.lower().startswith("qtui==") for line in lines)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(line for group in project["dependency-groups"].values() for line in group),
    ]
    names = {re.match(r"[\w-]+", line)[0].lower().replace("_", "-") for line in wanted}  # type: ignore[index]
    assert names - pinned == set()


def test_the_version_is_one() -> None:
    assert importlib.metadata.version("qtui") == qtui.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert qtui.__version__ in changelog
