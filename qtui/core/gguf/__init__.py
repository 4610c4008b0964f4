"""The GGUF file format: types, bounded header reader, names, shards."""
