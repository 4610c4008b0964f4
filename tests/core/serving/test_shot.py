"""What many requests say together."""

from __future__ import annotations

import pytest

from qtui.core.serving.shot import LoadResult, Share, Shot
from tests.fakes import make_variant


def test_what_half_and_95_percent_keep_to() -> None:
    times = tuple(float(n) for n in range(1, 101))
    assert (Share(times).p50, Share(times).p95) == (50.0, 95.0)
    rates = Share(times, more_is_better=True)
    assert (rates.p50, rates.p95) == (51.0, 6.0)
    assert sum(rate >= 6.0 for rate in times) == 95
    assert (Share((3.0,)).p95, Share().p50) == (3.0, None)


def test_only_whole_answers_count_and_errors_are_told() -> None:
    shots = (Shot(0.1, 20.0, 10, 1.0), Shot(error="503: full"), Shot(0.3, 10.0, 10, 2.0), Shot(error="503: full"))
    result = LoadResult(make_variant(), shots, 4.0)
    body = result.as_json()
    assert (body["requests"], body["answered"], body["generated_tokens"]) == (4, 2, 20)
    assert body["throughput"] == pytest.approx(5.0)
    assert body["time_to_first_token"] == {"p50": 0.1, "p95": 0.3, "samples": [0.1, 0.3]}
    assert body["generation_rate"]["p95"] == 10.0
    assert body["errors"] == [{"message": "503: full", "count": 2}]
    assert LoadResult(make_variant()).throughput is None
