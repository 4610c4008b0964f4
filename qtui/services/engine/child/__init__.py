"""All that runs in a child process and imports llama_cpp."""
