"""What is left of a crash: no variable's value, no secret, nothing that a terminal acts on."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from qtui.cli.crash import crash_report

TOKEN = "hf_" + "q9W8e7" * 5


def break_down(told: str) -> None:
    token, header = TOKEN, {"Authorization": f"Bearer {TOKEN}"}
    raise RuntimeError(f"broken after {len(token)} and {len(header)} {told}")


def crash(told: str = "") -> BaseException:
    with pytest.raises(RuntimeError) as raised:
        break_down(told)
    return raised.value


@pytest.mark.parametrize("told", ["", f"with {TOKEN}", f"\x1b[2J\x9b Bearer {TOKEN}", "x" * 5000])
def test_neither_screen_nor_log_holds_a_local_or_a_token(told: str, private_home: Path) -> None:
    failure = crash_report(crash(told))
    (log,) = private_home.rglob("qtui-*.log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    for text in (failure.message, failure.hint, log.read_text(encoding="utf-8")):
        assert TOKEN not in text and TOKEN[3:] not in text
        assert "\x1b" not in text and "\x9b" not in text
    assert "broken after 33 and 1" in failure.message
    assert len(failure.message) < 400
    assert "RuntimeError" in log.read_text(encoding="utf-8")
    assert str(log) in failure.hint


def test_without_a_place_for_the_log_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qtui.services.paths.log_dir", broken)
    assert crash_report(crash()).hint == "no log could be written"
