"""Notices: a few at a time at the top right, and gone with the place or the panel that they were told in."""

from __future__ import annotations

import time
from typing import Any

from textual import on
from textual.app import App
from textual.notifications import Notification, Notify
from textual.screen import ModalScreen
from textual.widget import AwaitMount

MOST = 2
"""Notices that stand there at once; a new one takes the place of the oldest."""
OF_NOW_S = 0.3
"""What is as new as that was told by what the user does just now."""
SEEN_S = 3.0
"""An error that has stood there for so long was seen."""


class Noticing(App[None]):
    """An app whose notices do not cover what the user goes to."""

    @on(Notify)
    def make_room(self, event: Notify) -> None:
        """Let a notice take the place of the same one, and of the oldest where there are many; errors stay."""
        new, told = event.notification, list(self._notifications)
        same = [one for one in told if (one.message, one.severity) == (new.message, new.severity)]
        others = [one for one in told if one not in same and one.severity != "error"]
        for notice in (*same, *others[: max(0, len(told) - len(same) - MOST + 1)]):
            self._unnotify(notice)

    def sweep_notices(self) -> None:
        """Take away what was told before, but for errors that may not have been seen."""
        old = [notice for notice in self._notifications if _is_old(notice)]
        for notice in old:
            self._unnotify(notice)

    def push_screen(self, *given: Any, **named: Any) -> Any:
        """Open a panel, without what was told before: it would cover what the panel says."""
        if given and isinstance(given[0], ModalScreen):
            self.sweep_notices()
        return super().push_screen(*given, **named)

    def switch_mode(self, mode: str) -> AwaitMount:
        """Go to another place, without what was told in this one."""
        if self.current_mode not in (mode, self.DEFAULT_MODE):  # what was told at the start was not seen yet
            self.sweep_notices()
        return super().switch_mode(mode)


def _is_old(notice: Notification) -> bool:
    return time.time() - notice.raised_at > (SEEN_S if notice.severity == "error" else OF_NOW_S)
