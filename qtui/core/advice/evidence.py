"""Evidence: published figures of quality, each with what it was measured on and where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from qtui.core.advice.label import Label


@dataclass(frozen=True, slots=True)
class Metric:
    """A kind of figure, as a file of figures names it."""

    words: str
    lowest: float = 0.0
    highest: float = 100.0
    smaller_is_better: bool = False


METRICS: Mapping[str, Metric] = {
    "kl_divergence": Metric("KL divergence", 0.0, 1000.0, True),
    "perplexity": Metric("perplexity", 1.0, 1e12, True),
    "same_top_token": Metric("same top token", 0.0, 1.0),
    "gsm8k": Metric("GSM8K, %"),
    "hellaswag": Metric("HellaSwag, %"),
    "ifeval": Metric("IFEval, %"),
    "mmlu": Metric("MMLU, %"),
    "truthfulqa": Metric("TruthfulQA, %"),
    "bits_per_weight": Metric("bits per weight", 0.0, 64.0, True),
    "size_gib": Metric("size, GiB", 0.0, 1e5, True),
    "prompt_rate": Metric("tokens/s of a prompt", 0.0, 1e7),
    "generation_rate": Metric("tokens/s", 0.0, 1e6),
}
"""What is known; each may have a `_stderr` beside it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures stand. All text in it is clean."""

    id: str
    title: str
    url: str
    licence: str
    date: str = ""
    """When it was published, or read; empty: not known."""
    note: str = ""
    """What to bear in mind."""
    charted: bool = False
    """Its licence lets its figures stand in a chart; else they are quoted one by one."""
    own: bool = False
    """It is a file of the user's."""

    @property
    def line(self) -> str:
        """Return the line that stands under its figures."""
        parts = (self.title, self.url, f"licence: {self.licence}", self.date)
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Setting:
    """What figures were measured on. Figures of two settings are never compared."""

    model: str
    data: str
    context: int | None = None
    reference: str = ""
    """What the variants were compared with: `F16`."""

    @property
    def words(self) -> str:
        """Return `LLaMA 3 8B, WikiText-2 raw, test, context 512`."""
        return ", ".join([self.model, self.data, *([f"context {self.context}"] if self.context else [])])


@dataclass(frozen=True, slots=True)
class Figure:
    """What one source says of one quant."""

    quant: str
    """As labels write it."""
    setting: Setting
    source: Source
    values: Mapping[str, float] = field(repr=False)
    imatrix: bool | None = None
    matrix: str = ""
    """What the importance matrix was made of."""
    recipe: str = ""
    """Whose files of that name these are, where that matters."""

    def __hash__(self) -> int:
        """Hash by what tells figures apart."""
        return hash((self.quant, self.setting, self.source.id, self.imatrix, self.matrix, self.recipe))


@dataclass(frozen=True, slots=True)
class Found:
    """The figures that hold for a variant's quant, and how well."""

    figure: Figure
    others: tuple[Figure, ...] = ()
    """Of the same quant and setting, made with other matrices or none."""
    note: str = ""
    """In what it may differ from the variant's quant; empty: in nothing that is known."""


class Evidence:
    """All figures, those of the user's own files first."""

    def __init__(self, figures: Iterable[Figure] = ()) -> None:
        self.figures = tuple(figures)

    def of_quant(self, quant: str) -> tuple[Figure, ...]:
        """Return what is known of exactly this name."""
        return tuple(figure for figure in self.figures if figure.quant == quant)

    def settings(self, metric: str, *, charted: bool = False) -> tuple[Setting, ...]:
        """Return the settings in which this was measured, those that know most quants first."""
        known: dict[Setting, set[str]] = {}
        own: set[Setting] = set()
        for figure in self.figures:
            if metric in figure.values and (figure.source.charted or figure.source.own or not charted):
                known.setdefault(figure.setting, set()).add(figure.quant)
                own |= {figure.setting} if figure.source.own else set()
        return tuple(sorted(known, key=lambda setting: (setting not in own, -len(known[setting]))))

    def find(self, label: Label, imatrix: bool | None, metric: str, setting: Setting) -> Found | None:
        """Return what is published for a quant in one setting; None: nothing is.

        A publisher's own mix (`UD-Q4_K_XL`, `Q4_K_L`) has the figures of its own name or none: those of the stock mix
        are of another file. Where it is not known whether a variant was made with an importance matrix, the worse of
        both figures is taken.
        """
        names = (label.text, label.stock) if label.stock else (label.text,)
        same = [
            figure for figure in self.figures
            if figure.quant in names and figure.setting == setting and metric in figure.values
        ]  # fmt: skip
        if not same:
            return None
        fitting = [figure for figure in same if figure.imatrix is imatrix or figure.imatrix is None]
        if fitting and imatrix is not None:
            return Found(fitting[0], tuple(figure for figure in same if figure is not fitting[0]))
        sign = 1 if METRICS[metric].smaller_is_better else -1
        worst = max(same, key=lambda figure: sign * figure.values[metric])
        others = tuple(figure for figure in same if figure is not worst)
        return Found(worst, others, _difference(worst, imatrix, several=len({f.imatrix for f in same}) > 1))


def _difference(figure: Figure, imatrix: bool | None, *, several: bool) -> str:
    """Return what is to be said of a figure whose importance matrix is not the variant's."""
    if figure.imatrix is None:
        return ""
    if imatrix is None and several:
        return "made with an importance matrix or not: the worse of both figures"
    made = "with" if figure.imatrix else "without"
    return f"the figure is of one made {made} an importance matrix"


def ranked(figures: Sequence[Figure], metric: str) -> tuple[Figure, ...]:
    """Return figures of one setting, the best first; those without the metric are left out.

    Raises:
        ValueError: they are of two settings. A perplexity says nothing about another model, text or context.
    """
    known = [figure for figure in figures if metric in figure.values]
    settings = {figure.setting for figure in known}
    if len(settings) > 1:
        raise ValueError(f"figures of {len(settings)} settings cannot stand in one ranking")
    better = METRICS[metric].smaller_is_better
    return tuple(sorted(known, key=lambda figure: figure.values[metric] * (1 if better else -1)))
