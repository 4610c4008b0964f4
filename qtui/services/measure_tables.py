"""The table of what is kept of measurements: a migration of the history."""

from __future__ import annotations

MEASUREMENTS = """
    CREATE TABLE measurements (
        id TEXT PRIMARY KEY, time REAL NOT NULL, model TEXT NOT NULL, quant TEXT NOT NULL, path TEXT NOT NULL,
        size INTEGER NOT NULL, hash TEXT NOT NULL, reference_hash TEXT NOT NULL, text_hash TEXT NOT NULL,
        n_ctx INTEGER NOT NULL, chunks INTEGER NOT NULL, build TEXT NOT NULL, kld REAL, perplexity REAL NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX measurements_by_time ON measurements (time);
    CREATE INDEX measurements_by_hash ON measurements (hash);
    """
