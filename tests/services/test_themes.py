from __future__ import annotations

import os
from pathlib import Path

from qtui.services.themes import MAX_BYTES, read_themes, shipped_dir


def own(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the user's themes: text and problem by name."""
    return {file.name: (file.text, file.problem) for file in read_themes(folder) if not file.shipped}


def test_shipped_themes_come_first_and_the_users_from_the_config_folder(private_home: Path) -> None:
    folder = private_home / "xdg_config_home" / "qtui" / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("x", encoding="utf-8")
    (folder / "notes.txt").write_text("x")
    (folder / ".mine.toml").write_text("x")
    files = read_themes()
    assert {"dark", "light", "high-contrast", "terminal"} == {file.name for file in files if file.shipped}
    assert all(file.text and not file.problem for file in files)
    assert (files[-1].name, files[-1].text, files[-1].shipped) == ("mine", "x", False)


def test_no_folder_is_made(private_home: Path) -> None:
    assert all(file.shipped for file in read_themes())
    assert list((private_home / "xdg_config_home").iterdir()) == []


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "huge.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbfx")
    (tmp_path / os.fsdecode(b"\xff\x1b.toml")).write_text("x")
    assert own(tmp_path) == {
        "binary": ("", "it is not UTF-8"), "folder": ("", "it is no file"), "gone": ("", "No such file or directory"),
        "huge": ("", "it is larger than 64 KiB"), "pipe": ("", "it is no file"), "bom": ("x", ""), "��": ("x", ""),
    }  # fmt: skip


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    path = tmp_path / "themes"
    path.write_text("")
    assert own(path) == {"themes": ("", "Not a directory")}


def test_the_folder_of_the_shipped_ones() -> None:
    assert (shipped_dir() / "dark.toml").is_file()
