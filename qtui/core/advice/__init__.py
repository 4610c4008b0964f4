"""Advice: published and measured figures of quality, and which variant to take by which rule."""
