from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.ui.present.running import running_sides
from qtui.ui.side import BUSY, Phase, Side
from tests.ui.stage import SMALL


@pytest.mark.parametrize("phase", Phase)
def test_a_side_runs_while_it_is_busy(phase: Phase) -> None:
    side = replace(Side("A").put(SMALL), phase=phase)
    running = running_sides([side, Side("B")])
    assert len(running) == (phase in BUSY)
    assert all(one.what.startswith("A Alpha Q4_K_M ") and one.stops for one in running)
