"""Plans, footprints, verdicts."""
