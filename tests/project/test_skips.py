"""A test that is skipped without leave fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import Allowance, read

ROOT = Path(__file__).parent.parent.parent
CONFTEST = """
from pathlib import Path
from tests.skips import Skips, read

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Skips(read(Path(__file__).parent / "allowed.txt")))
"""


def run(folder: Path, tests: str, allowed: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "allowed.txt").write_text(allowed)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(f"import pytest\n{tests}\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
        *options,
    ]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


TWO = """
@pytest.mark.parametrize("n", [1, 2])
def test_needs(n): pytest.skip("needs a thing in /some/where")
"""


@pytest.mark.parametrize(
    ("tests", "allowed", "status"),
    [
        (TWO, "2 needs a thing*\n", 0),
        (TWO, "# all of them\n\n5 needs*\n", 0),
        (TWO, "1 needs a thing*\n", 1),
        (TWO, "2 needs another thing\n", 1),
        (TWO, "1 needs a thing*\n1 needs*\n", 0),
        ("def test_fine(): pass", "", 0),
        ("@pytest.mark.xfail\ndef test_known(): assert False", "", 1),
        ("pytest.skip('not today', allow_module_level=True)", "1 needs*\n", 1),
    ],
    ids=["allowed", "more allowed", "one too many", "another reason", "two lines", "none", "xfail", "module"],
)
def test_runs(tmp_path: Path, tests: str, allowed: str, status: int) -> None:
    done = run(tmp_path, tests, allowed)
    # A run in which a whole module skips itself collects nothing, which is pytest's status 5.
    assert done.returncode == status or (status == 1 and done.returncode == 5), done.stdout + done.stderr
    assert ("SKIPPED WITHOUT LEAVE" in done.stdout) == (status == 1)


def test_the_list_is_read(tmp_path: Path) -> None:
    path = tmp_path / "allowed.txt"
    path.write_text("# why\n3 needs X\n")
    assert read(path) == [Allowance(3, "needs X")]
    path.write_text("needs X\n")
    with pytest.raises(ValueError, match="COUNT REASON"):
        read(path)


@pytest.mark.parametrize(("allowed", "status"), [("2 needs a thing*\n1 not today\n", 0), ("3 needs*\n", 1)])
def test_runs_that_several_processes_share(tmp_path: Path, allowed: str, status: int) -> None:
    (tmp_path / "test_absent.py").write_text("import pytest\npytest.skip('not today', allow_module_level=True)\n")
    done = run(tmp_path, TWO, allowed, "-p", "xdist.plugin", "-n", "2")
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.count("SKIPPED WITHOUT LEAVE") == status
