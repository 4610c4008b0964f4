from __future__ import annotations

import pytest

from qtui.core.secrets import MASK, masked

TOKEN = "hf_" + "aB3dE5" * 5


@pytest.mark.parametrize(
    "text",
    [
        f"token {TOKEN} was refused",
        f"Authorization: Bearer {TOKEN[3:]}",
        f"https://user:{TOKEN[3:]}@example.org/x",
        f"HF_TOKEN={TOKEN[3:]}",
        f'{{"api_key": "{TOKEN[3:]}"}}',
        f"password = '{TOKEN[3:]}'",
        f"ghp_{TOKEN[3:]}",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert TOKEN[3:] not in masked(text)
    assert MASK in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "5 tokens", "max_tokens=128", "tokens per second: 41.25", "the tokenizer says: unknown", "hf_cache",
        "https://huggingface.co/a/b", "/home/user/sk-1", "token: x",
    ],
)  # fmt: skip
def test_other_text_stays(text: str) -> None:
    assert masked(text) == text
