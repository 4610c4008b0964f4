from __future__ import annotations

import errno
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.core.settings import LogLevel, Settings
from qtui.core.text import GIB, MIB
from qtui.services.settings import SettingsFile

FULL = Settings(
    models_dirs=(Path("~/models"), Path('/big "disk"/ünï')),
    margin_ram=3 * GIB // 2,
    margin_gpu=512 * MIB,
    engine="/opt/llama-server",
    theme="light",
    log_level=LogLevel.DEBUG,
    preset="long",
    plan={"ctx_size": 16384, "cache_type_k": "q8_0"},
    downloads_dir=Path("/downloads"),
    downloads_parallel=4,
    keys={"models.chat": "c,enter", "quit": ""},
)


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path)


def test_without_a_file_there_are_defaults_and_no_folder_is_made(private_home: Path) -> None:
    file = SettingsFile()
    assert file.load() == Settings()
    assert file.problems() == ()
    assert not file.changed()
    assert not file.path.parent.exists()


def test_settings_come_back_as_they_were_saved(file: SettingsFile) -> None:
    file.load()
    assert file.save(FULL) == FULL
    assert SettingsFile(file.path.parent).load() == FULL
    assert file.problems() == ()
    table = tomllib.loads(file.path.read_text(encoding="utf-8"))
    assert table["margins"] == {"ram": "1536MiB", "gpu": "512MiB"}
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_the_config_folder_is_the_default_place(private_home: Path) -> None:
    SettingsFile().save(Settings(theme="light"))
    assert (private_home / "xdg_config_home" / "qtui" / "settings.toml").read_text() == 'theme = "light"\n'


def test_a_default_leaves_the_file(file: SettingsFile) -> None:
    file.save(FULL)
    assert file.save(Settings()) == Settings()
    assert tomllib.loads(file.path.read_text()) == {
        "downloads": {},
        "keys": {},
        "margins": {},
        "models": {},
        "plan": {},
    }


def test_what_qtui_does_not_know_is_reported_and_kept(file: SettingsFile) -> None:
    file.path.write_text(
        '# mine\nthem = "x"  # typo\n\n[later]\nrpc = ["h:1"]\n[keys]\n"models.chat" = ["c", "enter"]\n'
    )
    settings = file.load()
    assert settings.keys == {"models.chat": "c,enter"}
    assert [problem.key for problem in file.problems()] == ["them", "later.rpc"]
    assert "theme" in file.problems()[0].text
    assert str(file.path) in file.problems()[0].text
    file.save(replace(settings, theme="light"))
    assert file.path.read_text() == (
        '# mine\nthem = "x"  # typo\ntheme = "light"\n\n[later]\nrpc = ["h:1"]\n'
        '[keys]\n"models.chat" = ["c", "enter"]\n'
    )


@pytest.mark.parametrize(
    "line",
    [
        "theme = 1", 'margins.ram = "much"', "margins.ram = -1", "margins.ram = true", "margins.gpu = 1.5",
        "models.folders = 3", "models.folders = [3]", 'log_level = "loud"', "downloads.parallel = 0",
        "downloads.parallel = true", "downloads.folder = []", "keys.quit = [1]", "plan.ctx_size = -1",
        'plan.cache_type_k = "q9"', "plan.swa_full = 1", "keys = 1", "engine = 2020-01-01", 'plan.load_mode = "fast"',
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_has_its_default_and_stays(file: SettingsFile, line: str) -> None:
    file.path.write_text(line + "\n")
    assert file.load() == Settings()
    (problem,) = file.problems()
    assert problem.key == line.partition(" =")[0]
    file.save(Settings(preset="x"))
    assert line in file.path.read_text().split("\n")
    assert "preset" in file.path.read_text()


def test_a_wrong_value_is_written_over_when_the_user_changes_it(file: SettingsFile) -> None:
    file.path.write_text('margins.ram = "much"\n')
    file.load()
    assert file.save(Settings(margin_ram=GIB)).margin_ram == GIB
    assert file.problems() == ()


@pytest.mark.parametrize("text", [b'theme = "light\n[x', b"\xff\xfe", b"a=" + b"[" * 5000])
def test_a_broken_file_is_reported_and_kept_under_another_name(file: SettingsFile, text: bytes) -> None:
    file.path.write_bytes(text)
    assert file.load() == Settings()
    (problem,) = file.problems()
    assert problem.key == ""
    assert "line 1" in problem.message or "too deeply" in problem.message
    assert file.path.read_bytes() == text
    file.save(replace(FULL, theme="ansi"))
    assert SettingsFile(file.path.parent).load() == replace(FULL, theme="ansi")
    (kept,) = file.path.parent.glob("settings.toml.broken-*")
    assert kept.read_bytes() == text
    assert file.problems() == ()


def test_two_broken_files_are_both_kept(file: SettingsFile) -> None:
    for text in ("= 1", "= 2"):
        file.path.write_text(text)
        file.save(replace(file.load(), theme=text))
    assert {kept.read_text() for kept in file.path.parent.glob("*.broken-*")} == {"= 1", "= 2"}


def test_two_apps_win_key_by_key(tmp_path: Path) -> None:
    one, two = SettingsFile(tmp_path), SettingsFile(tmp_path)
    base = one.load()
    two.load()
    one.save(replace(base, theme="light", preset="one", keys={"a": "1"}))
    assert two.changed()
    merged = two.save(replace(base, preset="two", margin_ram=GIB, keys={"b": "2"}))
    assert (merged.theme, merged.preset, merged.margin_ram, dict(merged.keys)) == (
        "light", "two", GIB, {"a": "1", "b": "2"},
    )  # fmt: skip
    assert not two.changed()
    assert one.changed()
    assert one.load() == merged


def test_saving_what_is_there_writes_nothing(file: SettingsFile) -> None:
    file.save(FULL)
    stamp = file.path.stat().st_mtime_ns
    file.save(FULL)
    assert file.path.stat().st_mtime_ns == stamp


def test_a_change_of_the_same_size_is_seen(file: SettingsFile) -> None:
    file.path.write_text('theme = "a"\n')
    file.load()
    assert not file.changed()
    file.path.write_text('theme = "b"\n')
    os.utime(file.path, ns=(1, 1))
    assert file.changed()
    file.path.unlink()
    assert file.changed()
    assert file.load() == Settings()


def test_many_processes_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from qtui.services.settings import SettingsFile\n"
        "file = SettingsFile(Path(sys.argv[1])); me = sys.argv[2]\n"
        "for n in range(10):\n"
        "    s = file.load(); file.save(replace(s, keys={**s.keys, f'{me}.{n}': 'x'}))\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name]) for name in "abc"]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert set(SettingsFile(tmp_path).load().keys) == {f"{name}.{n}" for name in "abc" for n in range(10)}
    assert list(tmp_path.glob("*.part")) == []


def test_a_full_disk_leaves_the_old_file(file: SettingsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.save(FULL)
    before = file.path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("qtui.services.files.os.fsync", full)
    with pytest.raises(QtuiError, match="No space left") as raised:
        file.save(replace(FULL, theme="ansi"))
    assert raised.value.hint
    assert file.path.read_bytes() == before
    file.path.write_text("= broken")
    file.load()
    with pytest.raises(QtuiError):
        file.save(FULL)
    assert file.path.read_text() == "= broken"
    assert {path.name for path in file.path.parent.iterdir()} == {"settings.toml", ".settings.toml.lock"}


@pytest.mark.parametrize("target", ["missing/qtui", "file/qtui"])
def test_a_home_that_cannot_be_written(tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    file = SettingsFile(tmp_path / target)
    assert file.load() == Settings()
    with pytest.raises(QtuiError) as raised:
        file.save(FULL)
    assert raised.value.hint


def test_a_folder_in_its_place_is_reported_and_left(file: SettingsFile) -> None:
    file.path.mkdir()
    assert file.load() == Settings()
    assert "cannot be read" in file.problems()[0].message
    with pytest.raises(QtuiError, match="cannot be read"):
        file.save(FULL)
    assert file.path.is_dir()


def test_a_huge_file_is_not_read(file: SettingsFile) -> None:
    file.path.write_bytes(b"#" * (MIB + 1))
    file.load()
    assert "1 MiB" in file.problems()[0].message


def test_a_link_stays_a_link(tmp_path: Path, file: SettingsFile) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_text('theme = "a"\n')
    target.chmod(0o644)
    file.path.symlink_to(target)
    file.save(replace(file.load(), theme="b"))
    assert file.path.is_symlink()
    assert target.read_text() == 'theme = "b"\n'
    assert target.stat().st_mode & 0o777 == 0o644


def test_text_of_strangers_is_clean(file: SettingsFile) -> None:
    file.path.write_text('"a\\u001b[31m" = 1\ntheme = "\\u001b]0;x\\u0007"\nengine = ["\\u009b"]\n')
    settings = file.load()
    shown = settings.theme + "".join(problem.text for problem in file.problems())
    assert shown.isprintable()
    assert len(file.problems()) == 2


def test_a_folder_whose_name_is_no_unicode_is_refused(file: SettingsFile) -> None:
    with pytest.raises(QtuiError, match="Unicode"):
        file.save(Settings(models_dirs=(Path(os.fsdecode(b"/m/\xff")),)))
    assert not file.path.exists()
