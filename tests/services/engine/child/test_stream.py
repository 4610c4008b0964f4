"""Text on its way out: whole characters, clean, few lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qtui.core.duel.difference import MOST_PIECES
from qtui.core.events import TextArrived
from qtui.core.text import clean
from qtui.services.engine.child.stops import Stops
from qtui.services.engine.child.stream import GATHER_S, TextStream
from qtui.services.engine.child.thinking import Thinking


class Out:
    """Collects events."""

    def __init__(self) -> None:
        self.events: list[TextArrived] = []

    def __call__(self, event: object) -> None:
        assert isinstance(event, TextArrived)
        self.events.append(event)


def test_the_texts_of_tokens_are_kept_whole_or_as_bytes() -> None:
    stream = TextStream(Out(), Stops(()), None)
    for number, piece in enumerate((b"a", b"\xc3", b"\xa9", b"", b"\x1b[2J"), 1):
        stream.add(piece, 1.0, number)
    assert stream.pieces == ("a", "\\xc3", "\\xa9", "", clean("\x1b[2J"))
    for number in range(MOST_PIECES):
        stream.add(b"x", 1.0, number)
    assert len(stream.pieces) == MOST_PIECES


def test_what_was_written_is_kept_with_the_marks_of_thinking() -> None:
    whole = "<think>one\x1b two</think>\n\nthree"
    stream = TextStream(Out(), Stops(("STOP",)), Thinking(""))
    for number, letter in enumerate(f"{whole}STOP four"):
        stream.add(letter.encode(), 1.0, number)
    stream.finish(40)
    assert (stream.thought, stream.text) == (clean("one\x1b two"), "three")
    assert stream.written == clean(whole)
    plain = TextStream(Out(), Stops(()), Thinking(""))
    plain.add(b"three", 1.0, 1)
    plain.finish(1)
    assert (plain.text, plain.written) == ("three", "")


@given(
    st.text(st.characters() | st.sampled_from("\r\n\x1b😀\u202eé")),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.03, 1.0]),
)
def test_bytes_cut_anywhere_come_out_as_whole_clean_characters(text: str, step: int, pace: float) -> None:
    out = Out()
    stream = TextStream(out, Stops(()), None)
    data = text.encode("utf-8", "replace")
    for number, start in enumerate(range(0, len(data), step), 1):
        stream.add(data[start : start + step], number * pace, number)
    stream.finish(len(data))
    wanted = clean(data.decode())
    assert stream.text == "".join(event.text for event in out.events) == wanted


def test_a_family_of_emoji_is_never_cut_within_a_character() -> None:
    out = Out()
    stream = TextStream(out, Stops(()), None)
    for number, byte in enumerate("👨‍👩‍👧 —Ж".encode(), 1):
        stream.add(bytes([byte]), number * 1.0, number)
    stream.finish(99)
    assert [event.text for event in out.events] == ["👨", "\u200d", "👩", "\u200d", "👧", " ", "—", "Ж"]


def test_text_is_gathered_and_the_first_comes_at_once() -> None:
    out = Out()
    stream = TextStream(out, Stops(()), None)
    for number in range(1, 101):
        stream.add(b"x", number * GATHER_S / 10, number)
    assert out.events[0] == TextArrived("x", False, 1)
    assert 8 <= len(out.events) <= 12
    stream.finish(100)
    assert stream.text == "x" * 100
    assert out.events[-1].tokens == 100


def test_thinking_and_answer_are_separate_events_and_bad_bytes_are_marked() -> None:
    out = Out()
    stream = TextStream(out, Stops(("STOP",)), Thinking("<think>"))
    for piece in (b"hm\xff", b"</think>", b"yes", b" ST", b"OP more"):
        stream.add(piece, 0.0, 1)
    assert stream.stopped
    stream.finish(5)
    assert (stream.thought, stream.text) == ("hm\ufffd", "yes ")
    assert [event.thinking for event in out.events] == [True, False]
