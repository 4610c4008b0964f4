"""The terminal. Knows core and nothing else of ours; gets ports in constructors."""
