"""Writers of test input."""
