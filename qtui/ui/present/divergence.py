"""How far two sides are apart on an answer, in words: before it is measured, while it is, and then."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.content import Content

from qtui.core.errors import Failure
from qtui.core.measure.events import ExchangeAdvanced, ExchangeEvent, ExchangeMeasured, PassBegan, PassLoading
from qtui.core.measure.exchange import Exchange
from qtui.core.measure.words import exchange_words
from qtui.core.text import duration
from qtui.ui.present.words import bar, joined, key, name, prose

BAR = 20
_MUTED = "$foreground-muted"


@dataclass(frozen=True, slots=True)
class DivergenceWork:
    """How far the measuring of an answer is."""

    began: PassBegan | None = None
    loading: PassLoading | None = None
    pace: ExchangeAdvanced | None = None
    measured: ExchangeMeasured | None = None
    failure: Failure | None = None
    running: bool = False

    def after(self, event: ExchangeEvent | Failure | None) -> DivergenceWork:
        """Return how far it is once an event has happened; None: nothing goes on any more."""
        match event:
            case None:
                return replace(self, running=False)
            case Failure():
                return replace(self, failure=event)
            case PassBegan():
                return replace(self, began=event, loading=None, pace=None)
            case PassLoading():
                return replace(self, loading=event)
            case ExchangeAdvanced():
                return replace(self, pace=event)
            case ExchangeMeasured():
                return replace(self, measured=event)


def divergence_text(exchange: Exchange | Failure, work: DivergenceWork) -> Content:
    """Return what is known of the divergence, or what measuring it would take."""
    if work.measured is not None:
        *told, remark = exchange_words(work.measured)
        return Content("\n").join([*map(prose, told), prose(remark, _MUTED)])
    if isinstance(exchange, Failure):
        return _failed("The divergence of both cannot be measured", exchange, _MUTED)
    if work.running:
        return _progress(work)
    if work.failure is not None:
        failed = _failed("The divergence was not measured", work.failure, "$text-error")
        return failed + "   " + key("m", "tries again")
    takes = f" (about {duration(max(10.0, exchange.seconds))})" if exchange.seconds is not None else ""
    return key(
        "m", f"measures how far both are apart, token by token, on the answer of {exchange.reference.side}{takes}"
    )


def _progress(work: DivergenceWork) -> Content:
    head = Content.styled("Divergence", "bold")
    if work.began is None:
        return joined([head, Content.styled("reading the vocabularies…", _MUTED)])
    began, pace = work.began, work.pace
    parts: list[Content | str] = [
        head,
        f"model {began.number} of {began.passes}",
        name(began.variant.quant, "bold", 20),
    ]
    if pace is not None:
        drawn = Content.styled(bar(pace.done / pace.tokens, BAR), "$text-accent")
        parts += [drawn + f" {pace.done} of {pace.tokens} tokens", f"{duration(pace.left)} left"]
    elif work.loading is not None and work.loading.fraction < 1:
        parts.append(f"loading {work.loading.fraction * 100:.0f} %")
    else:
        parts.append("loading…" if work.loading is None else "computing…")
    return joined(parts)


def _failed(what: str, failure: Failure, style: str) -> Content:
    hint = f" ({failure.hint})" if failure.hint else ""
    return prose(f"{what}: {failure.message}{hint}", style)
