"""qtui: choose, fetch, launch, watch and compare GGUF quants for llama.cpp."""

__version__ = "0.1.0"
