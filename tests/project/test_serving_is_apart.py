"""Only the verb that serves loads the web framework."""

from __future__ import annotations

import subprocess
import sys


def test_the_services_are_wired_without_the_web_framework() -> None:
    script = (
        "import sys, argparse, qtui.cli.wiring, qtui.cli.serve_verb, qtui.cli.bench_verbs\n"
        "qtui.cli.wiring.local_services(argparse.Namespace())\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "qtui" in loaded
    assert loaded & {"starlette", "uvicorn", "anyio", "h11", "textual", "llama_cpp"} == set()
