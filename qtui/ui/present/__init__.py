"""Values turned into words, rows and bars: pure, so that it is tested without a terminal."""
