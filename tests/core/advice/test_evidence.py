"""Published figures: what ships is what its sources say, and nothing stands for what it is not."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from qtui.core.advice.evidence import METRICS, Evidence, Figure, Setting, Source, ranked
from qtui.core.advice.evidence_file import read_evidence
from qtui.core.advice.label import label_of
from qtui.core.advice.loss import Losses, worse
from qtui.core.library.variant import Variant
from qtui.core.measure.bands import Band
from qtui.core.measure.quality import Quality
from qtui.core.origin import Origin
from qtui.services.evidence import SHIPPED, EvidenceFiles
from tests.fakes import make_variant

TABLE = Path(__file__).parents[2] / "data" / "evidence.tsv"
CORE = {
    "llamacpp-ppl-llama3": 46, "arxiv-2601.14277": 14, "llamacpp-quantize": 24, "llamacpp-ppl-l2l3": 8,
    "localai-mxfp4": 3,
}  # fmt: skip
SINGLE = {"matt-c1", "unsloth-dynamic2", "reddit-1rfds1h", "artefact2-gist"}
NAMES = {
    "ppl": "perplexity", "ppl_se": "perplexity_stderr", "ppl_wikitext2": "perplexity",
    "kld_mean": "kl_divergence", "kld_mean_se": "kl_divergence_stderr", "bpw": "bits_per_weight",
    "same_top_pct": "same_top_token", "same_top_pct_se": "same_top_token_stderr", "truthfulqa_mc2": "truthfulqa",
    "truthfulqa_mc2_se": "truthfulqa_stderr", "pp512_tps": "prompt_rate", "tg128_tps": "generation_rate",
    "cpu_pp512_tps": "prompt_rate", "cpu_tg128_tps": "generation_rate", "size_mib": "size_gib",
}  # fmt: skip
SCALE = {"same_top_pct": 0.01, "same_top_pct_se": 0.01, "size_mib": 1 / 1024}
MATRICES = {
    "WT 1k": "1 thousand", "WT 10k": "10 thousand", "WT 100k": "100 thousand", "WT 1m": "1 million",
    "WT 10m": "10 million",
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> Evidence:
    evidence, problems = EvidenceFiles(Path("/nowhere")).load()
    assert problems == ()
    return evidence


def test_the_core_figures_are_those_of_their_sources(shipped: Evidence) -> None:
    wanted: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)
    with TABLE.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            matrix = f"{MATRICES[row['imatrix']]} tokens of WikiText" if row["imatrix"] else ""
            key = (row["source"], row["quant"], _plain(row["model"]), matrix)
            metric = NAMES.get(row["metric"], row["metric"].replace("_se", "_stderr"))
            wanted[key][metric] = float(row["value"]) * SCALE.get(row["metric"], 1.0)
    found = {(f.source.id, f.quant, _plain(f.setting.model), f.matrix): f for f in shipped.figures}
    core = {key: figure for key, figure in found.items() if key[0] in CORE}
    assert set(core) == set(wanted) and len(core) == 95
    for key, values in wanted.items():
        assert core[key].values.keys() == values.keys(), key
        for metric, value in values.items():
            assert core[key].values[metric] == pytest.approx(value, rel=1e-6, abs=1e-9), (key, metric)


def _plain(model: str) -> str:
    return model.replace("-", " ").removesuffix(" (base)")


def test_every_figure_says_where_it_is_from(shipped: Evidence) -> None:
    per_source: dict[str, int] = defaultdict(int)
    for figure in shipped.figures:
        source = figure.source
        per_source[source.id] += 1
        assert source.url.startswith("https://") and source.title and source.licence
        assert figure.setting.model and figure.setting.data
        assert not source.own and source.url in source.line and source.licence in source.line
        assert set(figure.values) <= {*METRICS, *(f"{key}_stderr" for key in METRICS)}
    assert {key: per_source[key] for key in CORE} == CORE
    assert set(per_source) == {*CORE, *SINGLE}


def test_what_has_no_licence_is_quoted_in_single_figures_and_never_drawn(shipped: Evidence) -> None:
    for figure in shipped.figures:
        assert figure.source.charted is (figure.source.id in CORE)
    for source in SINGLE:
        assert sum(figure.source.id == source for figure in shipped.figures) <= 6
    drawn = set(shipped.settings("kl_divergence", charted=True))
    assert drawn.isdisjoint(figure.setting for figure in shipped.figures if figure.source.id in SINGLE)


def test_no_ranking_holds_the_perplexities_of_two_models(shipped: Evidence) -> None:
    settings = shipped.settings("perplexity")
    assert len(settings) > 3
    for setting in settings:
        one = [figure for figure in shipped.figures if figure.setting == setting]
        row = ranked(one, "perplexity")
        values = [figure.values["perplexity"] for figure in row]
        assert values == sorted(values) and len({figure.setting.model for figure in row}) == 1
    with pytest.raises(ValueError, match="cannot stand in one ranking"):
        ranked(shipped.figures, "perplexity")
    good = ranked([f for f in shipped.figures if f.source.id == "arxiv-2601.14277"], "gsm8k")
    assert good[0].values["gsm8k"] > good[-1].values["gsm8k"]


@pytest.mark.parametrize(
    ("name", "stock", "beside", "width"),
    [
        ("Q4_K_M", "Q4_K_M", "", 4), ("i1-Q4_K_M", "Q4_K_M", "", 4), ("UD-Q4_K_XL", "", "", 4),
        ("UD-Q4_K_M", "", "", 4), ("Q4_K_L", "", "Q4_K_M", 4), ("Q3_K_L", "Q3_K_L", "", 3),
        ("Q3_K_XL", "", "Q3_K_L", 3), ("Q6_K_L", "", "Q6_K", 6), ("IQ4_XS", "IQ4_XS", "", 4),
        ("MXFP4", "MXFP4", "", 4), ("BF16", "BF16", "", 16), ("smol-IQ2_KS", "", "", 2), ("mix:IQ2_XXS", "", "", 2),
        ("Q5_K", "", "", 5), ("?", "", "", None),
    ],
)  # fmt: skip
def test_a_label_is_taken_apart(name: str, stock: str, beside: str, width: int | None) -> None:
    label = label_of(name)
    assert (label.stock, label.beside, label.width) == (stock, beside, width)


@pytest.mark.parametrize(
    ("quant", "noted", "level", "note"),
    [
        ("Q4_K_M", True, 0.028152, ""),
        ("Q4_K_M", False, 0.031273, "the worse of both figures"),
        ("i1-Q4_K_M", False, 0.028152, ""),
        ("IQ4_XS", False, 0.036334, "made with an importance matrix"),
        ("IQ2_XXS", False, 0.812022, ""),
        ("Q6_K", True, 0.005452, "made without an importance matrix"),
        ("Q8_0", True, 0.001355, ""),
    ],
)
async def test_a_quant_has_the_figure_of_its_own_kind(
    shipped: Evidence, quant: str, noted: bool, level: float, note: str
) -> None:
    quality = Losses(shipped).published(make_variant(quant=quant, imatrix=noted))
    assert quality.origin is Origin.PUBLISHED and quality.kl_divergence == level
    assert note in quality.note and bool(note) == bool(quality.note)
    assert "LLaMA 3 8B" in quality.sentence and "not your model" in quality.sentence and "°" in quality.sentence


@pytest.mark.parametrize(
    ("variant", "note"),
    [
        (make_variant(quant="UD-Q4_K_XL"), "measured each in its own way"),
        (make_variant(quant="UD-Q3_K_XL"), "publisher's own mix"),
        (make_variant(quant="Q4_K_L"), "Q4_K_M with more bits for some tensors"),
        (make_variant("GLM-4.7-REAP-218B", "Q4_K_M"), "REAP"),
        (make_variant(quant="NVFP4"), "nothing is published"),
        (make_variant(quant="?"), "do not tell"),
        (make_variant(quant="BF16"), "the whole model"),
    ],
)
def test_where_there_is_no_figure_none_is_made_up(shipped: Evidence, variant: Variant, note: str) -> None:
    quality = Losses(shipped).published(variant)
    assert quality.origin is Origin.UNKNOWN and quality.kl_divergence is None and quality.band is None
    assert note in quality.note and quality.as_json()["source"] is None


async def test_what_was_measured_here_goes_first(shipped: Evidence) -> None:
    one, other = make_variant(quant="Q4_K_M"), make_variant(quant="Q8_0")

    async def measured(_variants: object) -> dict[Path, Quality]:
        return {one.path: Quality(Origin.MEASURED, 0.02, 0.001, 0.95, "measured here against F16", "F16/text/512")}

    found = await Losses(shipped, measured).of([one, other])
    assert found[one.path].origin is Origin.MEASURED and found[one.path].kl_divergence == 0.02
    assert found[other.path].origin is Origin.PUBLISHED
    assert "measured here against F16" in found[one.path].sentence


def test_bands_meet_what_llama_cpp_published(shipped: Evidence) -> None:
    bands = {
        Band.NONE: ["Q8_0", "Q6_K", "Q5_K_M"],
        Band.GOOD: ["Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS"], Band.VISIBLE: ["Q4_0", "Q3_K_M", "IQ3_S"],
        Band.STRONG: ["IQ3_XS", "IQ2_M"], Band.LAST: ["IQ2_XS", "IQ1_M"],
    }  # fmt: skip
    published = Losses(shipped).published
    for band, quants in bands.items():
        assert [published(make_variant(quant=quant)).band for quant in quants] == [band] * len(quants)
    assert worse(Band.GOOD, 1) is Band.VISIBLE and worse(Band.STRONG, 2) is Band.LAST


GOOD = """
[source]
title = "mine"
licence = "my own"
[setting]
model = "Tiny"
data = "my text"
[[figure]]
quant = "Q4_K_M"
kl_divergence = 0.01
"""


def test_a_file_of_ones_own_counts_before_what_ships(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    evidence, problems = EvidenceFiles(tmp_path).load()
    assert problems == () and evidence.figures[0].source.own and len(evidence.figures) == 111
    quality = Losses(evidence).published(make_variant(quant="Q4_K_M"))
    assert quality.kl_divergence == 0.01 and "Tiny" in quality.sentence


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (
            ("kl_divergence = 0.01", "kl_divergence = -1"),
            "line 10: figure 1.kl_divergence",
            "is not between 0 and 1000",
        ),
        (("kl_divergence = 0.01", "kl_divergence = nan"), "line 10: figure 1.kl_divergence", "is no number"),
        (("kl_divergence = 0.01", "kl_divergence = true"), "line 10: figure 1.kl_divergence", "is no number"),
        (("kl_divergence = 0.01", "goodness = 3"), "line 10: figure 1.goodness", "is not known"),
        (("kl_divergence = 0.01", "kl_divergence_stderr = -0.1"), "line 10: figure 1.kl_divergence_stderr", "negative"),
        (('quant = "Q4_K_M"', "quant = 4"), "line 9: figure 1.quant", "is no text"),
        (('model = "Tiny"', ""), "line 8: figure 1.model", "a figure means nothing"),
        (('data = "my text"', 'data = "my text"\ncontext = "x"'), "line 8: setting.context", "no number of tokens"),
        (('title = "mine"', ""), "line 2: source.title", "is missing"),
        (('title = "mine"', 'title = "mine"\nurl = "file:///etc"'), "line 4: source.url", "no address"),
        (("[source]", "[sources]"), "sources", "is not known"),
        (("[setting]", "figure = 1\n[setting]"), "source.figure", "is not known"),
        (("[source]", "[source"), "", "is no TOML"),
        (("0.01", "0.01\nimatrix = 1"), "line 11: figure 1.imatrix", "neither true nor false"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], key: str, message: str
) -> None:
    more = '\n[[figure]]\nquant = "Q8_0"\nkl_divergence = 0.001\nmodel = "Tiny"\n'
    (tmp_path / "a.toml").write_text(GOOD.replace(*change) + more)
    (tmp_path / "b.toml").write_text(GOOD)
    evidence, problems = EvidenceFiles(tmp_path).load()
    told = [problem.text for problem in problems]
    assert any(problem.key.endswith(key) and message in problem.text for problem in problems), told
    assert all(problem.file.endswith("a.toml") for problem in problems)
    own = [figure for figure in evidence.figures if figure.source.own]
    assert own and own[-1].quant == "Q4_K_M"  # the other file counts, whatever this one is
    if "figure 1" in key and "stderr" not in key:
        assert "Q8_0" in {figure.quant for figure in own} and len(evidence.figures) >= 112 - 1


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "b.toml").mkdir()
    (tmp_path / "c.toml").write_bytes(b"#" * ((1 << 20) + 1))
    (tmp_path / "d.toml").write_text(GOOD.replace("mine", "\x1b[2Jx\u202e").replace("[2J", "[2J"), encoding="utf-8")
    evidence, problems = EvidenceFiles(tmp_path).load()
    texts = " ".join(problem.text for problem in problems)
    assert "not UTF-8" in texts and "no file" in texts and "larger than 1 MiB" in texts and len(problems) == 4
    assert "\x1b" not in texts and "\u202e" not in texts and len(evidence.figures) == 110


def test_foreign_text_in_a_file_is_clean() -> None:
    text = GOOD.replace('title = "mine"', 'title = "a\\u001b[31m\\u202eb"').replace("Q4_K_M", "Q4_K_M\\n")
    figures, problems = read_evidence("x", text, own=True)
    assert problems == () and "\x1b" not in figures[0].source.title and "\u202e" not in figures[0].source.title
    assert figures[0].quant == "Q4_K_M"


def test_figures_of_one_name_in_two_settings_never_meet() -> None:
    source = Source("s", "t", "", "l", charted=True)
    one, other = Setting("A", "x"), Setting("B", "x")
    evidence = Evidence(
        [Figure("Q4_0", one, source, {"kl_divergence": 0.1}), Figure("Q4_0", other, source, {"kl_divergence": 0.2})]
    )
    for setting, level in ((one, 0.1), (other, 0.2)):
        found = evidence.find(label_of("Q4_0"), None, "kl_divergence", setting)
        assert found is not None and found.figure.values["kl_divergence"] == level and found.others == ()


def test_the_folder_of_figures_ships() -> None:
    assert len(list(SHIPPED.glob("*.toml"))) == 9
