"""Owner: the program whose folder a file lies in. It decides which copy is kept and how one may be deleted."""

from __future__ import annotations

from enum import StrEnum


class Owner(StrEnum):
    """Who keeps a file."""

    USER = "user"
    """A folder that the user named: nobody manages it."""
    HF = "huggingface"
    LM_STUDIO = "lm-studio"
    OLLAMA = "ollama"
    LLAMA_CPP = "llama.cpp"
    JAN = "jan"
    KOBOLDCPP = "koboldcpp"
    TEXTGEN = "text-generation-webui"
    DEMO = "demo"

    @property
    def label(self) -> str:
        """Return how the place is shown; a folder of the user's is shown by its path instead."""
        return _LABELS.get(self, self.value)

    @property
    def manages(self) -> bool:
        """Tell whether a program looks after the files: of several copies its own is the one to keep."""
        return self is not Owner.USER


_LABELS = {Owner.HF: "HF cache", Owner.LM_STUDIO: "LM Studio", Owner.OLLAMA: "Ollama", Owner.JAN: "Jan"} | {
    Owner.KOBOLDCPP: "KoboldCpp"
}
