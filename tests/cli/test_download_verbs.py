"""`pull` and `verify` as a user runs them: the real command against the test Hub."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from qtui.cli.download_verbs import progress_line
from qtui.cli.main import main
from qtui.core.downloads.download import State, new_download
from qtui.core.downloads.files import RemoteFile
from tests.hub.faults import Fault, Kind
from tests.hub.model_repository import TINY, Recipe, model_repository
from tests.hub.server import LocalHub

REPOSITORY = "acme/Acme-Tiny-GGUF"
RECIPES = (Recipe("BF16", 32, "BF16", output="BF16", shards=2), Recipe("Q4_K_M", 15, "Q4_K", "Q6_K", imatrix=True))
SINGLE = "Acme-Tiny-Q4_K_M.gguf"


@dataclass
class Shell:
    """The command, and what it printed."""

    hub: LocalHub
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def run(self, *arguments: str) -> int:
        status = main(arguments)
        written = self.capsys.readouterr()
        self.out, self.err = written.out, written.err
        return status

    @property
    def json(self) -> dict[str, Any]:
        (line,) = self.out.splitlines()
        body = json.loads(line)
        assert isinstance(body, dict) and body["schema"] == 1
        return body

    def gets(self) -> int:
        return len(self.hub.requests("cdn", "GET"))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    with LocalHub() as hub:
        hub.add(model_repository(REPOSITORY, TINY, RECIPES).repository)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield Shell(hub, capsys)


def test_a_quant_is_pulled_listed_and_verified(shell: Shell) -> None:
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M", "--json") == 0, shell.err
    report = shell.json
    (file,) = report["files"]
    assert (report["state"], file["file"], report["received"]) == ("done", SINGLE, report["size"])
    assert Path(file["path"]).is_file()
    assert shell.run("ls", "--json") == 0
    (variant,) = shell.json["variants"]
    assert (variant["path"], variant["repository"], variant["quant"]) == (file["path"], REPOSITORY, "Q4_K_M")
    assert shell.run("verify", f"{REPOSITORY}:Q4_K_M", "--json") == 0, shell.err
    (checked,) = shell.json["files"]
    assert (checked["outcome"], checked["sha256"], checked["source"]) == ("ok", file["sha256"], "manifest")


def test_shards_are_one_download_whichever_is_named(shell: Shell) -> None:
    second = "BF16/Acme-Tiny-BF16-00002-of-00002.gguf"
    assert shell.run("pull", f"{REPOSITORY}/{second}") == 0, shell.err
    assert [Path(line).name for line in shell.out.splitlines()] == [
        "Acme-Tiny-BF16-00001-of-00002.gguf", "Acme-Tiny-BF16-00002-of-00002.gguf",
    ]  # fmt: skip
    assert shell.run("ls", "--json") == 0
    (variant,) = shell.json["variants"]
    assert variant["complete"] and len(variant["shards"]) == 2


def test_pulling_again_fetches_nothing(shell: Shell) -> None:
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 0
    first = shell.out
    shell.hub.clear()
    assert shell.run("pull", f"{REPOSITORY}/{SINGLE}") == 0
    assert shell.out == first
    assert shell.gets() == 0


def test_a_folder_takes_it_under_its_name_on_the_hub(shell: Shell, tmp_path: Path) -> None:
    address = f"{REPOSITORY}/{SINGLE}"
    assert shell.run("pull", address, "--dest", ".") == 0, shell.err
    assert (tmp_path / address).is_file()
    shell.hub.clear()
    assert shell.run("pull", address, "--dest", ".") == 0, "the name is a path here now, and still an address"
    assert shell.gets() == 0
    assert shell.run("verify", str(tmp_path / address)) == 0, shell.err


def test_the_folder_of_the_settings_is_used_and_searched(shell: Shell, tmp_path: Path, private_home: Path) -> None:
    config = private_home / "xdg_config_home" / "qtui"
    config.mkdir(parents=True)
    (config / "settings.toml").write_text(f'[downloads]\nfolder = "{tmp_path}/models"\n')
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 0, shell.err
    assert Path(shell.out.strip()) == tmp_path / "models" / REPOSITORY / SINGLE
    assert shell.run("ls", "--json") == 0
    assert [variant["path"] for variant in shell.json["variants"]] == [str(tmp_path / "models" / REPOSITORY / SINGLE)]


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        (f"{REPOSITORY}:Q9_9", 2, "has no Q9_9"),
        (f"{REPOSITORY}/missing.gguf", 2, "has no file missing.gguf"),
        ("acme/None-GGUF:Q4_K_M", 1, "there is no such repository"),
        ("what is this", 2, "which file of which repository?"),
        ("/etc/passwd", 2, "is on this machine"),
        (f"{REPOSITORY}/../../x.gguf", 2, "which file of which repository?"),
        (f"{REPOSITORY}/README.md", 2, "which file of which repository?"),
    ],
)
def test_what_cannot_be_pulled_is_said(shell: Shell, name: str, status: int, word: str) -> None:
    assert shell.run("pull", name) == status
    assert word in shell.err
    assert shell.gets() == 0


def test_names_that_could_lead_elsewhere_are_never_written(shell: Shell, private_home: Path) -> None:
    repository = shell.hub.repositories[REPOSITORY]
    content = repository.head.files[SINGLE]
    evil = ["../../evil-Q8_0.gguf", ".git/evil-Q8_0.gguf", "a\x1b[2Jb-Q8_0.gguf", "x" * 300 + "-Q8_0.gguf"]
    repository.commit(dict.fromkeys(evil, content))
    for name in evil:
        assert shell.run("pull", f"{REPOSITORY}/{name}") in (1, 2)
        assert "\x1b" not in shell.err
    assert shell.run("pull", f"{REPOSITORY}:Q8_0") in (1, 2)
    assert shell.gets() == 0
    assert list(private_home.rglob("*evil*")) == []


def test_damage_is_found_by_whoever_tells(shell: Shell) -> None:
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 0
    path = Path(shell.out.strip())
    blob = path.resolve()
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert shell.run("verify", str(path), "--json") == 1
    assert [one["outcome"] for one in shell.json["files"]] == ["damaged"]
    assert "is damaged: its SHA-256 should be" in shell.err
    blob.write_bytes(whole[:-5])
    assert shell.run("verify", str(path), "--json") == 1
    (one,) = shell.json["files"]
    assert (one["outcome"], one["sha256"]) == ("wrong_size", None)
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 0, shell.err
    assert shell.run("verify", str(path)) == 0


def test_a_file_from_elsewhere_is_compared_with_the_cache_name_or_the_hub(
    shell: Shell, tmp_path: Path, private_home: Path
) -> None:
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 0
    path = Path(shell.out.strip())
    (private_home / "xdg_data_home" / "qtui" / "downloads.jsonl").unlink()
    assert shell.run("verify", str(path), "--json") == 0
    assert [one["source"] for one in shell.json["files"]] == ["cache"]
    copy = tmp_path / SINGLE
    copy.write_bytes(path.read_bytes())
    assert shell.run("verify", str(copy), "--json") == 1
    assert [one["outcome"] for one in shell.json["files"]] == ["unknown"]
    assert shell.run("verify", str(copy), "--repository", REPOSITORY, "--json") == 0, shell.err
    assert [one["source"] for one in shell.json["files"]] == ["hub"]
    copy.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert shell.run("verify", str(copy), "--repository", REPOSITORY) == 1


def test_a_file_that_cannot_be_loaded_is_found_by_its_name(shell: Shell) -> None:
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 0
    path = Path(shell.out.strip())
    whole = path.read_bytes()
    for spoilt in (b"FUGG" + whole[4:], whole[:1000]):
        path.resolve().write_bytes(spoilt)
        for name in (f"{REPOSITORY}:Q4_K_M", f"{REPOSITORY}/{SINGLE}", str(path)):
            assert shell.run("verify", name, "--json") == 1
            assert [one["outcome"] for one in shell.json["files"]] in (["damaged"], ["wrong_size"]), name


def test_progress_fits_on_a_line() -> None:
    files = [RemoteFile(SINGLE, 5 << 30, "ab" * 32)]
    download = new_download(REPOSITORY, "0" * 40, files, title=f"{REPOSITORY}/{SINGLE}")
    going = replace(download, done=2 << 30, rate=40 * 2.0**20, time_left=200.0)
    assert progress_line(going).startswith("40 %  2.00 GiB of 5.00 GiB  40.00 MiB/s  3 min 20 s left  acme/")
    assert progress_line(download) == f"0 %  0 B of 5.00 GiB  {REPOSITORY}/{SINGLE}"
    assert progress_line(replace(going, state=State.VERIFYING)).endswith("checking what is here")


def test_a_damaged_download_leaves_nothing_under_the_name(shell: Shell, private_home: Path) -> None:
    shell.hub.fault(Fault(Kind.CORRUPT, f"*{SINGLE}", at=77))
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M", "--json") == 1
    assert shell.json["error"]["kind"] == "damaged"
    assert list(private_home.rglob("*.gguf")) == []
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 0


def test_offline_nothing_is_asked(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M") == 1
    assert "HF_HUB_OFFLINE" in shell.err
    assert shell.hub.requests() == []


def test_an_interrupt_keeps_what_came_and_the_same_command_goes_on(shell: Shell, private_home: Path) -> None:
    size = shell.hub.repositories[REPOSITORY].head.files[SINGLE].size
    stall = shell.hub.fault(Fault(Kind.STALL, f"*{SINGLE}", at=size // 2))
    command = [sys.executable, "-m", "qtui", "pull", f"{REPOSITORY}:Q4_K_M", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        partials: list[Path] = []
        while not (stall.happened and partials and partials[0].stat().st_size):
            assert running.poll() is None, running.stderr and running.stderr.read()
            partials = list(private_home.rglob("*.part"))
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    report = json.loads(out)
    assert (report["state"], report["error"]["kind"]) == ("paused", "interrupted")
    assert 0 < report["done"] <= size // 2
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    shell.hub.clear()
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M", "--json") == 0, shell.err
    assert shell.json["kept"] == report["done"]
    assert shell.json["received"] == size - report["done"]
    assert list((private_home / "xdg_data_home" / "qtui" / "downloads").iterdir()) == []


def test_a_killed_pull_is_taken_up_again(shell: Shell, private_home: Path) -> None:
    size = shell.hub.repositories[REPOSITORY].head.files[SINGLE].size
    stall = shell.hub.fault(Fault(Kind.STALL, f"*{SINGLE}", at=size // 2))
    command = [sys.executable, "-m", "qtui", "pull", f"{REPOSITORY}:Q4_K_M"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        partials: list[Path] = []
        while not (stall.happened and partials and partials[0].stat().st_size):
            assert running.poll() is None
            partials = list(private_home.rglob("*.part"))
        running.kill()
    shell.hub.clear()
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M", "--json") == 0, shell.err
    assert shell.json["kept"] > 0
    assert shell.run("verify", f"{REPOSITORY}:Q4_K_M") == 0


def test_everything_that_is_here_is_verified_at_once(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("pull", f"{REPOSITORY}:Q4_K_M", "--json") == 0, shell.err
    good = Path(shell.json["files"][0]["path"])
    assert shell.run("pull", f"{REPOSITORY}/BF16/Acme-Tiny-BF16-00001-of-00002.gguf", "--json") == 0, shell.err
    bad = Path(shell.json["files"][1]["path"])
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.gguf").write_bytes(good.read_bytes())
    assert shell.run("verify", "--all", "--json") == 0, shell.err
    assert {one["outcome"] for one in shell.json["files"]} == {"ok"} and len(shell.json["files"]) == 3
    real = bad.resolve()
    real.chmod(0o600)
    content = bytearray(real.read_bytes())
    content[-1] ^= 1
    real.write_bytes(content)
    assert shell.run("verify", "--all", "--json") == 1
    assert [one["path"] for one in shell.json["files"] if one["outcome"] == "damaged"] == [str(bad)]
    assert shell.run("verify", "--all", "--json", "--models-dir", str(own)) == 0, "nobody tells of it: no failure"
    assert [one["outcome"] for one in shell.json["files"]] == ["unknown"]
    assert shell.run("verify") == 2 and "which variant?" in shell.err
    assert shell.run("verify", "x.gguf", "--all") == 2 and "--all takes no VARIANT" in shell.err
