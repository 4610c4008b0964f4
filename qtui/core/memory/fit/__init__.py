"""Searches for the plan that fits: largest context, most layers on cards, fewest experts in RAM, best cache."""
