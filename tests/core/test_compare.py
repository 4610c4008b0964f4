from __future__ import annotations

from dataclasses import replace

from qtui.core.compare import compare, compare_report, difference, measures
from qtui.core.errors import BadFileError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit
from tests.core.memory.fit.test_propose import guarded, variant
from tests.fakes import FakeLibrary, make_facts


def test_a_difference_is_absolute_and_in_percent() -> None:
    found = difference(200, 150)
    assert found is not None and found.as_json() == {"absolute": -50, "percent": -25.0}
    nothing = difference(0, 5)
    assert nothing is not None and nothing.percent is None
    assert difference(None, 5) is None and difference(5, None) is None


async def test_variants_are_compared_with_the_first() -> None:
    guard, _ = guarded(ram=12)
    llama = replace(variant("llama3.1-8b"), size=400, bits_per_weight=4.0)
    big = replace(variant("gemma3-27b"), size=600, bits_per_weight=5.0)
    library = FakeLibrary(llama, big)
    library.told[llama.path] = replace(make_facts(llama), imatrix={"dataset": "calibration", "chunks_count": 100})
    library.errors[str(big.path)] = BadFileError("cannot be read")

    async def rate(subject: Variant, plan: LoadPlan) -> float | None:
        assert plan.threads  # resolved
        return 40.0 if subject is llama else None

    columns = await compare(guard, library, [llama, big], lambda _: LoadPlan(), rate=rate, dated=lambda _: 1.5e9)
    assert [column.rate for column in columns] == [40.0, None]
    assert columns[0].imatrix == "calibration, 100 chunks" and columns[1].imatrix is None
    assert abs(sum(columns[0].mix.values()) - 1) < 1e-9 and columns[1].mix == {}
    largest = columns[0].largest_context
    assert largest is not None and 8192 < largest < 131072 and columns[1].largest_context == 0
    at_most = await guard.weigh(llama, LoadPlan(ctx_size=largest))
    assert at_most.verdict.fit is Fit.FITS
    assert (await guard.weigh(llama, LoadPlan(ctx_size=largest + 256))).verdict.fit is not Fit.FITS

    report = compare_report(columns)
    first, second = report["variants"]
    assert first["difference"]["size"] == {"absolute": 0, "percent": 0.0}
    assert second["difference"]["size"] == {"absolute": 200, "percent": 50.0}
    assert second["difference"]["total"]["absolute"] == second["total"] - first["total"]
    assert second["difference"]["generation_rate"] is None and second["generation_rate"] is None
    assert first["quality"]["value"] is None and first["quality"]["reason"]
    assert second["warnings"] == ["cannot be read"] and second["verdict"] in ("from_disk", "too_big")
    assert first["date"] == 1.5e9


async def test_each_pool_is_a_measure_where_there_are_cards() -> None:
    guard, _ = guarded(24, 24)
    llama = variant("llama3.1-8b")
    columns = await compare(guard, FakeLibrary(llama), [llama], lambda _: LoadPlan())
    keys = [measure.key for measure in measures(columns)]
    assert keys == ["size", "bits_per_weight", "total", "ram", "vram0", "vram1", "largest_context", "generation_rate"]
    values = {measure.key: measure.value(columns[0]) for measure in measures(columns)}
    assert values["total"] == (values["ram"] or 0) + (values["vram0"] or 0) + (values["vram1"] or 0)
