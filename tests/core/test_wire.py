from __future__ import annotations

import json
from dataclasses import dataclass

from qtui.core import events, wire
from qtui.core.duel.conversation import Answer, Message, Request, Sampling
from qtui.core.errors import Failure
from qtui.core.hardware import ProcessMemory
from qtui.core.origin import Origin

ANSWER = Answer(
    "é\n", "hm", "stop", 3, 0, 2, 0.5, None, 41.0, 42, ProcessMemory(anonymous=1, file_backed=None), warnings=("w",)
)
LOADED = events.Loaded(1.5, {"ctx_size": 8}, 512, "file", ProcessMemory(peak=9), (("CPU", 1, 2, 3),), ("slow",))


@dataclass(frozen=True, slots=True)
class Wrapped:
    request: Request
    origin: Origin
    ratio: float


def test_every_event_survives_the_wire() -> None:
    kinds = (events.Answered, events.Loaded, events.Failed, events.TextArrived)
    failed = events.Failed(Failure("m", "h", "memory", ("a", "b")), True)
    for event in (events.Answered(ANSWER), LOADED, failed, events.TextArrived("x", True, 4)):
        line = wire.encode(event)
        assert line.endswith("\n") and line.count("\n") == 1 and line.isascii()
        assert wire.decode(line, kinds) == event


def test_nested_values_and_enums_are_rebuilt() -> None:
    request = Request((Message("user", "hi"),), sampling=Sampling(stop=("a", "b"), seed=None))
    message = Wrapped(request, Origin.DRY_RUN, 1)
    decoded = wire.decode(wire.encode(message), [Wrapped])
    assert decoded == message and isinstance(decoded.origin, Origin) and isinstance(decoded.ratio, float)


def test_unknown_fields_are_ignored_and_unreadable_lines_are_none() -> None:
    body = json.loads(wire.encode(events.PromptProgressed(1, 2)))
    assert wire.decode(json.dumps({**body, "later": 1}), [events.PromptProgressed]) == events.PromptProgressed(1, 2)
    assert wire.decode("ggml: hello", [events.PromptProgressed]) is None
    assert wire.decode("[1]", [events.PromptProgressed]) is None
    assert wire.decode(json.dumps({**body, "v": 2}), [events.PromptProgressed]) is None
    assert wire.decode(json.dumps({"v": 1, "type": "PromptProgressed"}), [events.PromptProgressed]) is None
    assert wire.decode(b"\xff\xfe", [events.PromptProgressed]) is None
    assert wire.decode(wire.encode(events.TextArrived("x")), [events.PromptProgressed]) is None
