"""Suites: tasks with deterministic checkers, and what their results say."""
