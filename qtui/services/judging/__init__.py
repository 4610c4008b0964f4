"""Judging what a model wrote, in a child that may be ended at any time."""
