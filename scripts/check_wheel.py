"""Build the wheel, install it into a fresh environment outside the checkout, and run it there.

What only works in the checkout (a data file that is not shipped, a missing dependency) fails here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return what it printed; its errors are shown."""
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout)
        raise SystemExit(f"failed with {done.returncode}: {' '.join(str(part) for part in command)}")
    return done.stdout


def pip(python: Path | str, *arguments: str | Path, cwd: Path) -> None:
    """Run pip quietly."""
    run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments, cwd=cwd)


def build(into: Path) -> Path:
    """Build the wheel from the source distribution, so that what that lacks is missed too."""
    run(sys.executable, "-m", "build", "--outdir", into, ROOT, cwd=into)
    return next(into.glob("*.whl"))


def install(wheel: Path, into: Path) -> Path:
    """Install the wheel with the pinned versions; returns the folder of commands."""
    venv.create(into, with_pip=True)
    commands = into / "bin"
    pip(commands / "python", "install", "--constraint", ROOT / "constraints.txt", wheel, cwd=into)
    return commands


def private_environment(home: Path) -> dict[str, str]:
    """Return an environment with a home of its own and no way back into the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "HOME": str(home), "HF_HOME": str(home / "huggingface"), "HF_HUB_OFFLINE": "1"}


def try_it(commands: Path, scratch: Path) -> None:
    """Run the verbs that need nothing but what the wheel brings."""
    home = scratch / "home"
    home.mkdir()
    env = private_environment(home)
    qtui = commands / "qtui"
    where = run(commands / "python", "-c", "import qtui; print(qtui.__file__)", cwd=scratch, env=env)
    assert Path(where.strip()).is_relative_to(scratch), f"ran the checkout: {where}"
    print(" ", run(qtui, "--version", cwd=scratch, env=env).strip())
    names = "from qtui.services.themes import read_themes; print(*(file.name for file in read_themes()))"
    themes = run(commands / "python", "-c", names, cwd=scratch, env=env).split()
    assert {"dark", "light", "high-contrast", "terminal"} <= set(themes), themes
    answer = json.loads(run(qtui, "demo", "--headless", "--json", cwd=scratch, env=env))
    assert answer["schema"] == 1, answer
    sides = answer["sides"]
    assert [side["quant"] for side in sides] == ["Q8_0", "Q2_K"], sides
    for side in sides:
        assert side["text"].strip(), side
        assert side["generation_rate"] > 0, side
        print(f"  {side['quant']}: {side['text'].strip()!r} at {side['generation_rate']:.0f} tokens/s")
    removed = run(qtui, "demo", "--clean", cwd=scratch, env=env)
    left = list(home.rglob("*.gguf"))
    assert not left, f"--clean left {left}"
    print(" ", removed.strip().splitlines()[-1] if removed.strip() else "cleaned")


def main() -> int:
    """Build, install, run."""
    with tempfile.TemporaryDirectory(prefix="qtui-wheel-") as name:
        scratch = Path(name).resolve()
        assert not scratch.is_relative_to(ROOT)
        (scratch / "dist").mkdir()
        wheel = build(scratch / "dist")
        print(f"  {wheel.name}: {wheel.stat().st_size} bytes")
        try_it(install(wheel, scratch / "venv"), scratch)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
