"""The variant that a name on the command line means: a file of this machine, else one on the Hub."""

from __future__ import annotations

from qtui.cli.running import Context
from qtui.core.errors import NoSuchFileError, NotOnHubError, OfflineError, UsageError
from qtui.core.hub.address import Address
from qtui.core.hub.events import RepositoryFound, Waiting
from qtui.core.hub.finding import Found
from qtui.core.hub.finding import find_variant as find_on_hub
from qtui.core.hub.ports import Hub
from qtui.core.library.grouping import name_key
from qtui.core.library.variant import Role, Variant
from qtui.core.text import clean_name, duration
from qtui.services.library.lookup import hub_address


async def find_variant(context: Context, name: str) -> Variant:
    """Return the variant of a name; of one that is on the Hub, its header was read.

    Raises:
        BadFileError: the file, or the header on the Hub, cannot be read; neither here nor there is such a file.
        UsageError: neither here nor on the Hub there is such a variant.
        HubError: the Hub cannot be asked.
    """
    services = context.services
    try:
        return await services.library.find(name)
    except (NoSuchFileError, UsageError):
        address = hub_address(name)
        if address is None or services.hub is None:
            raise
    return (await _on_hub(context, services.hub, address, name)).row.variant


async def find_variants(context: Context, name: str) -> list[Variant]:
    """Return the variant of a name, or all loadable ones of the model here that is called so, the largest first.

    Raises as `find_variant` does.
    """
    try:
        return [await find_variant(context, name)]
    except (NoSuchFileError, UsageError):
        named = [
            variant
            async for variant in context.services.library.scan(context.options.models_dir)
            if variant.role is Role.MODEL and name_key(variant.model) == name_key(name)
        ]
        if not named:
            raise
    return sorted((variant for variant in named if variant.loadable), key=lambda variant: -variant.size)


def tell_waiting(context: Context, waiting: Waiting) -> None:
    """Say on stderr what is waited for: a rate limit as a line that stays, all else as progress."""
    text = f"{waiting.reason} ({duration(waiting.seconds)})"
    if waiting.limited:
        context.console.note(text)
    else:
        context.console.progress(text)


async def _on_hub(context: Context, hub: Hub, address: Address, name: str) -> Found:
    console = context.console
    console.progress(f"asking {hub.endpoint}")
    try:
        async for event in find_on_hub(hub, context.services.library, address):
            if isinstance(event, Waiting):
                tell_waiting(context, event)
            elif isinstance(event, RepositoryFound):
                console.progress(f"reading {event.repository.id}")
            elif isinstance(event, Found):
                return event
    except OfflineError as error:
        raise OfflineError(f"{clean_name(name)} is not here, and {error.message}", error.hint) from error
    except (NotOnHubError, UsageError) as error:
        if address.file:
            hint = f"On the Hub neither: {error.message}. {error.hint}"
            raise NoSuchFileError(f"{clean_name(name)}: no such file", hint) from error
        if isinstance(error, UsageError):
            raise
        raise NotOnHubError(f"{error.message}, and nothing here is called so", error.hint) from error
    finally:
        console.end_progress()
    raise AssertionError("the run ends with what it found or raises")
