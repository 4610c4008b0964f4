from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtui.core.errors import BadFileError, UsageError
from qtui.core.preset_ini.text import MOST_KEYS, Section, parse_ini, section_name, unsayable, write_ini

FILE = """\
version = 1
; shared by all
[*]
c = 8192   ; tokens
n-gpu-layers = 8

[ggml-org/MY-MODEL-GGUF:Q8_0]
jinja = true
LLAMA_ARG_CACHE_RAM=0 # none
[ custom model ]
model = /a b/x.gguf
chat-template-kwargs = {"reasoning_effort": "high"}
c =
"""


def test_sections_keys_and_comments() -> None:
    unnamed, common, hub, custom = parse_ini(FILE)
    assert unnamed == Section("default", {"version": "1"})
    assert common == Section("*", {"c": "8192", "n-gpu-layers": "8"})
    assert hub == Section("ggml-org/MY-MODEL-GGUF:Q8_0", {"jinja": "true", "LLAMA_ARG_CACHE_RAM": "0"})
    assert custom.name == "custom model"
    assert custom.keys == {"model": "/a b/x.gguf", "chat-template-kwargs": '{"reasoning_effort": "high"}', "c": ""}


def test_a_section_that_stands_twice_is_the_later_one() -> None:
    assert parse_ini("[a]\nx = 1\n[b]\r\n[a]\ry = 2") == (Section("b", {}), Section("a", {"y": "2"}))


@pytest.mark.parametrize(
    ("text", "line"), [("[a]\nno pair\n", 2), ("[a\n", 1), ("[]\n", 1), ("1x = 2\n", 1), ("= 2", 1), ("\x1b[2J = 1", 1)]
)  # fmt: skip
def test_what_llama_server_would_refuse_is_named_by_its_line(text: str, line: int) -> None:
    with pytest.raises(BadFileError, match=f"line {line} ") as refused:
        parse_ini(text)
    assert refused.value.message.isprintable()


def test_a_hostile_file_is_bounded() -> None:
    with pytest.raises(BadFileError, match="sections"):
        parse_ini("".join(f"[{number}]\n" for number in range(2000)))
    with pytest.raises(BadFileError, match="keys"):
        parse_ini("".join(f"k{number} = 1\n" for number in range(MOST_KEYS + 1)))


@given(st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9-]{0,8}\Z"), st.text(max_size=30), max_size=4))
def test_what_is_written_is_read_again_or_refused(keys: dict[str, str]) -> None:
    section = Section("a name", keys)
    try:
        text = write_ini([section], "head")
    except UsageError:
        assert any(unsayable(value) for value in keys.values())
        return
    assert parse_ini(text)[-1] == section


@pytest.mark.parametrize(
    ("name", "kept"),
    [("long", "long"), ("long: für später", "long - für später"), ("a[b]", "a(b)"), ("*", "all"), ("a\n b", "a b")],
)
def test_names_are_those_that_llama_server_keeps(name: str, kept: str) -> None:
    assert section_name(name) == kept
