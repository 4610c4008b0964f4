"""Where programs keep models, as data: templates for Linux, macOS and Windows, and how they become paths.

`~` stands for the home, `${NAME}` for a variable of the environment; a template with a variable that is not set names
nothing. Every folder that a program is known to use is looked at, since its versions have moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.library.owner import Owner

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Platform(StrEnum):
    """The systems whose conventions differ, by the beginning of Python's `sys.platform`."""

    LINUX = "linux"
    MACOS = "darwin"
    WINDOWS = "win32"

    @staticmethod
    def of(name: str) -> Platform:
        """Return the conventions of a `sys.platform`; other Unixes follow those of Linux."""
        return next((platform for platform in Platform if name == platform.value), Platform.LINUX)


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one program."""

    owner: Owner
    linux: tuple[str, ...] = ()
    macos: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    everywhere: tuple[str, ...] = ()

    def templates(self, platform: Platform) -> tuple[str, ...]:
        """Return the templates of a platform, what the environment names first."""
        own = {Platform.LINUX: self.linux, Platform.MACOS: self.macos, Platform.WINDOWS: self.windows}[platform]
        return (*self.everywhere, *own)


# The Hugging Face cache is not among them: its own rules choose one folder (services/library/places.py, hub_cache).
HOMES = (
    # The folder of its settings and pointer file are read besides (services/library/lm_studio.py).
    Home(Owner.LM_STUDIO, everywhere=("~/.lmstudio/models", "~/.cache/lm-studio/models")),
    # Ollama, docs/faq: OLLAMA_MODELS, and the home of the user that the Linux service runs as.
    Home(
        Owner.OLLAMA,
        everywhere=("${OLLAMA_MODELS}", "~/.ollama/models"),
        linux=("/usr/share/ollama/.ollama/models", "/var/lib/ollama/.ollama/models", "/var/lib/ollama/models"),
    ),
    # llama.cpp, common/common.cpp, fs_get_cache_directory.
    Home(
        Owner.LLAMA_CPP,
        everywhere=("${LLAMA_CACHE}",),
        linux=("${XDG_CACHE_HOME}/llama.cpp", "~/.cache/llama.cpp"),
        macos=("~/Library/Caches/llama.cpp",),
        windows=("${LOCALAPPDATA}/llama.cpp",),
    ),
    Home(
        Owner.JAN,
        everywhere=("~/jan/models",),
        linux=("${XDG_DATA_HOME}/Jan/data", "~/.local/share/Jan/data", "~/.config/Jan/data"),
        macos=("~/Library/Application Support/Jan/data",),
        windows=("${APPDATA}/Jan/data",),
    ),
    # KoboldCpp is one file that lies where its user puts it; these are the folders that its guides use.
    Home(
        Owner.KOBOLDCPP,
        everywhere=("~/koboldcpp", "~/KoboldCpp", "~/Documents/KoboldCpp"),
        windows=("C:/KoboldCpp", "C:/koboldcpp"),
    ),
    # text-generation-webui: user_data/models since 3.0, models before.
    Home(
        Owner.TEXTGEN,
        everywhere=(
            "~/text-generation-webui/user_data/models", "~/text-generation-webui/models",
            "~/textgen/user_data/models", "~/oobabooga/text-generation-webui/user_data/models",
        ),
        windows=("C:/text-generation-webui/user_data/models", "C:/text-generation-webui/models"),
    ),
)  # fmt: skip


def expanded(template: str, environment: Mapping[str, str], home: str) -> str | None:
    """Return the folder that a template names; None when one of its variables is not set, or there is no home."""
    if template.startswith("~") and not home:
        return None
    text = home + template[1:] if template.startswith("~") else template
    if any(not environment.get(name) for name in _VARIABLE.findall(text)):
        return None
    return _VARIABLE.sub(lambda match: environment[match[1]], text)


def home_folders(platform: Platform, environment: Mapping[str, str], home: str) -> Iterator[tuple[Owner, str]]:
    """Yield every folder that a program is known to use, each once; they need not exist."""
    given: set[str] = set()
    for program in HOMES:
        for template in program.templates(platform):
            folder = expanded(template, environment, home)
            if folder and folder not in given:
                given.add(folder)
                yield program.owner, folder
