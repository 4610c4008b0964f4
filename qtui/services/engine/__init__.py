"""Engines: the children that run llama.cpp, and how they are spoken to."""
