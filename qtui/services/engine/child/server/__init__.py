"""The child that keeps a llama-server, or the way to one on another machine."""
