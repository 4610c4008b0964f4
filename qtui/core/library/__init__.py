"""Variants, models, and the scan that finds them."""
