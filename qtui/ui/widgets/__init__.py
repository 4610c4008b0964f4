"""Widgets that know neither places nor the app."""
