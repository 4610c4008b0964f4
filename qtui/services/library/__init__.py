"""The model files of this machine: folders, caches, header cache."""
