"""`presets.ini` of llama-server, read into presets and written from them."""
