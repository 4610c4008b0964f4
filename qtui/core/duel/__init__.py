"""Conversations, duels and their measurements."""
