"""Paths that users type and that cannot be: a sentence of ours from whatever is asked to use them."""

from __future__ import annotations

import pytest

from qtui.core.errors import BadFileError, EngineError
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.suites import SuiteFiles
from qtui.services.texts import TextFiles

PATHS = ("~nobody-here/x.toml", "/" + "x" * 300 + ".toml")


@pytest.mark.parametrize("path", PATHS)
async def test_they_are_refused(path: str) -> None:
    with pytest.raises(BadFileError, match="cannot read the text"):
        await TextFiles().find(path)
    with pytest.raises(BadFileError, match="cannot read the suite"):
        await SuiteFiles().find(path)
    with pytest.raises(EngineError, match="is not there"):
        await ServerBuilds().usable(path)
    with pytest.raises(EngineError, match="is not there"):
        await ServerBuilds(lambda: path).usable("llama-server")
