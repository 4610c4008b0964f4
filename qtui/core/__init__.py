"""The domain: values, rules and runs. Standard library only; no I/O but reading bytes it was handed."""
