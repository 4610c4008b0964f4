"""A llama-server as an engine, as values: its build, how it is started, what its log says."""
