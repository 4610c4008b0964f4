"""The closed form: what llama.cpp allocates, computed from a file's header alone."""
