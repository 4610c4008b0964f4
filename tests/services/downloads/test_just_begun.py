"""A download that has just begun, when another one looks for partials that nobody can use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qtui.services.downloads.child.hub import locked as real
from qtui.services.downloads.child.partial import Partial, PartialState
from tests.services.downloads.place import REPOSITORY, Place, noise

OTHER = "Other-Q4_K_M.gguf"


@pytest.mark.parametrize("says_what_it_is", [True, False])
def test_a_partial_that_got_its_state_while_its_lock_was_waited_for_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch, says_what_it_is: bool
) -> None:
    place.repository.commit({OTHER: noise(1 << 16, 5)})
    other, file = place.landing(OTHER), place.remote(OTHER)
    other.partial.parent.mkdir(parents=True)
    other.partial.write_bytes(b"")

    @contextmanager
    def locked(path: Path, patience: float, busy: Callable[[], None]) -> Iterator[None]:
        if path == other.lock and says_what_it_is:
            Partial(other, PartialState(REPOSITORY, OTHER, place.commit, file.sha256, file.size)).close()
            other.partial.write_bytes(b"what came")
        with real(path, patience, busy):
            yield

    monkeypatch.setattr("qtui.services.downloads.child.fetch.locked", locked)
    ran = place.run()
    assert ran.error is None and place.is_right()
    assert other.partial.exists() is says_what_it_is
    assert other.state.exists() is says_what_it_is
