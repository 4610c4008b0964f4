"""Thinking told apart from the answer, however the text is cut into tokens."""

from __future__ import annotations

import pytest

from qtui.services.engine.child.thinking import Thinking

ASSISTANT = "<|im_start|>assistant\n"
CASES = [
    ("plain", ASSISTANT, "The sum is 3 < 4.", "", "The sum is 3 < 4."),
    ("think", ASSISTANT, "<think>\nhm </thin\n</think>\n\nyes", "hm </thin\n", "yes"),
    ("spaces before", ASSISTANT, "\n <think>hm</think>yes", "hm", "yes"),
    ("prompt opened it", ASSISTANT + "<think>\n", "hm</think>\nyes", "hm", "yes"),
    ("prompt closed it", ASSISTANT + "<think>\n\n</think>\n\n", "yes", "", "yes"),
    ("never closed", ASSISTANT, "<think>hm </th", "hm </th", ""),
    ("empty", ASSISTANT, "<think>\n\n</think>\n\nyes", "", "yes"),
    ("mark in the middle", ASSISTANT, "Write <think> to think</think>", "", "Write <think> to think</think>"),
    ("mistral", "[/INST]", "[THINK]hm[/THINK]yes [THINK]", "hm", "yes [THINK]"),
    ("seed", "", "<seed:think>hm</seed:think>yes", "hm", "yes"),
    ("command", "", "<|START_THINKING|>hm<|END_THINKING|>yes", "hm", "yes"),
    ("gemma", "", "<|channel>thought\nhm\n<channel|>yes", "hm\n", "yes"),
    ("thinking", "", "<thinking>hm</thinking>yes", "hm", "yes"),
    ("almost a mark", "", "<thin air>", "", "<thin air>"),
    ("only white space", "", "  \n", "", "  \n"),
    (
        "channels", "<|start|>assistant",
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>yes < no<|return|>",
        "hm", "yes < no",
    ),
    ("channels, final only", "<|start|>assistant", "<|channel|>final<|message|>yes", "", "yes"),
    ("no channels after all", "<|start|>assistant", "<b>yes</b>", "", "<b>yes</b>"),
    ("a message without a channel", "<|start|>assistant", "<|message|>yes", "", "yes"),
    ("channels unprompted", "", "<|channel|>analysis<|message|>hm<|channel|>final<|message|>yes", "hm", "yes"),
    (
        "commentary", "<|start|>assistant",
        "<|channel|>commentary to=functions.x<|constrain|>json<|message|>{}<|call|><|start|>assistant<|message|>yes",
        "{}", "yes",
    ),
    ("channels cut", "<|start|>assistant", "<|channel|>analysis<|message|>hm<|end|><|start|>assi", "hm", ""),
]  # fmt: skip


@pytest.mark.parametrize(("prompt", "text", "thought", "answer"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_split(step: int, prompt: str, text: str, thought: str, answer: str) -> None:
    parser = Thinking(prompt)
    parts = [part for i in range(0, len(text), step) for part in parser.feed(text[i : i + step])] + parser.flush()
    assert "".join(text for text, thinking in parts if thinking) == thought
    assert "".join(text for text, thinking in parts if not thinking) == answer
    assert all(text for text, _ in parts)
