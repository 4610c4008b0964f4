"""How huggingface_hub is set up before it is imported: silent, without telemetry, without the Xet protocol.

It reads its environment when it is imported, binds a log handler to the real standard error then, and puts signed
addresses into its warnings; so it is imported through here, when something is asked of the Hub and not before.
"""

from __future__ import annotations

import logging
import os
import threading
from types import ModuleType

SILENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_SYMLINKS_WARNING": "1",
    "HF_HUB_DISABLE_XET": "1",
}
_lock = threading.Lock()


def huggingface_hub() -> ModuleType:
    """Return huggingface_hub, imported on the first call: half a second, to be spent off the event loop."""
    with _lock:
        for name, value in SILENT.items():
            os.environ.setdefault(name, value)
        import huggingface_hub as module
        from huggingface_hub import constants

        constants.HF_HUB_DISABLE_TELEMETRY = True  # it may have been imported before, by a test
        logger = logging.getLogger("huggingface_hub")
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
        return module
