"""The real services of the Hub: the client that asks it, and the downloads that go to where the settings say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtui.core.downloads.ports import Downloads
from qtui.core.hub.ports import Hub
from qtui.core.settings import Settings
from qtui.core.user_path import expanded_path


def hub_services(settings: Callable[[], Settings]) -> tuple[Hub, Downloads]:
    """Return the Hub and what fetches from it; nothing is asked before it is used. `settings` are those of now."""
    from qtui.services.downloads.client import DownloadsClient, Endpoint
    from qtui.services.hub.access import hub_access
    from qtui.services.hub.client import HubClient
    from qtui.services.hub.hub import HuggingFaceHub

    client = HubClient(token_for_mirror=lambda: settings().token_for_mirror)

    def download_folders() -> Sequence[Path]:
        folder = settings().downloads_dir
        return (expanded_path(folder),) if folder is not None else ()

    def endpoint() -> Endpoint:
        return Endpoint(client.endpoint, client.sends_token, hub_access().offline)

    return HuggingFaceHub(client, download_folders=download_folders), DownloadsClient(endpoint)
