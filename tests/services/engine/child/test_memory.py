"""A process's own memory."""

from __future__ import annotations

from qtui.core.hardware import ProcessMemory
from qtui.services.engine.child.memory import own_memory, parse_status

STATUS = """Name:\tpython3
VmHWM:\t   81234 kB
VmLck:\t      64 kB
RssAnon:\t   50000 kB
RssFile:\t   20000 kB
VmSwap:\t       8 kB
Threads:\t3
"""


def test_fields_are_bytes() -> None:
    assert parse_status(STATUS) == ProcessMemory(50000 * 1024, 20000 * 1024, 64 * 1024, 8 * 1024, 81234 * 1024)


def test_what_is_missing_is_unknown() -> None:
    assert parse_status("Name:\tx\n") == ProcessMemory()


def test_ours_can_be_read() -> None:
    found = own_memory()
    assert found.anonymous and found.peak and found.peak >= found.anonymous
