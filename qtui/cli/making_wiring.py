"""What makes quants and matrices on this machine."""

from __future__ import annotations

from qtui.core.quantise.ports import Workshop


def local_workshop() -> Workshop:
    """Return what makes quants in children of this process; nothing is started until it is used."""
    from qtui.services.engine.workshop import LocalWorkshop

    return LocalWorkshop()
