"""A short run of `python -m tests.benchmarks.mutate_headers`, from a fixed seed."""

from __future__ import annotations

from tests.benchmarks import mutate_headers


def test_damaged_headers_are_read_or_refused() -> None:
    report = mutate_headers.run(2000, seed=3)
    assert report.passed, "\n".join(report.lines())
    assert report.read > 100
    assert report.refused > 1000
    assert len(report.reasons) >= 8


def test_a_number_of_a_seed_is_always_the_same_header() -> None:
    sound = mutate_headers.bases()
    first = [mutate_headers.try_one(sound, 5, number) for number in range(30)]
    assert first == [mutate_headers.try_one(sound, 5, number) for number in range(30)]
    assert first != [mutate_headers.try_one(sound, 6, number) for number in range(30)]
