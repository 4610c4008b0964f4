"""What makes quants and matrices on this machine, and what measures them then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the app paints before these are imported
    from qtui.cli.services import Services
    from qtui.core.measure.wished import Measures
    from qtui.core.quantise.measuring import MadeMeasuring
    from qtui.core.quantise.ports import Workshop


def local_workshop() -> Workshop:
    """Return what makes quants in children of this process; nothing is started until it is used."""
    from qtui.services.engine.workshop import LocalWorkshop

    return LocalWorkshop()


def made_measuring(services: Services) -> MadeMeasuring | None:
    """Return what measures a quant that was made; None where nothing is measured."""
    from qtui.core.quantise.measuring import MadeMeasuring

    means = services.measuring
    if means is None or services.measures is None:
        return None
    return MadeMeasuring(means, services.measures.texts, services.library)


def app_measures(services: Services) -> Measures | None:
    """Return what measures variants for the app; None where nothing is measured."""
    from qtui.core.measure.wished import WishedMeasures

    means = services.measuring
    if means is None or services.measures is None:
        return None
    return WishedMeasures(means, services.measures.texts)
