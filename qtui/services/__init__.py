"""Side effects. Every third-party library has exactly one door."""
