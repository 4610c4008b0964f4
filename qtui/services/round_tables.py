"""The tables of what is kept of duels: migrations of the history."""

from __future__ import annotations

ROUNDS = """
    CREATE TABLE rounds (
        id TEXT PRIMARY KEY, time REAL NOT NULL, prompt TEXT, mode TEXT NOT NULL, sampling TEXT NOT NULL, system TEXT,
        engine TEXT NOT NULL, build TEXT NOT NULL, blind INTEGER NOT NULL, vote TEXT, pair TEXT NOT NULL
    ) STRICT;
    CREATE INDEX rounds_by_time ON rounds (time);
    CREATE INDEX rounds_by_pair ON rounds (pair);
    CREATE TABLE round_sides (
        round TEXT NOT NULL REFERENCES rounds (id) ON DELETE CASCADE, side TEXT NOT NULL, path TEXT NOT NULL,
        model TEXT NOT NULL, quant TEXT NOT NULL, size INTEGER NOT NULL, hash TEXT NOT NULL, plan TEXT NOT NULL,
        text TEXT, thinking TEXT, finish_reason TEXT, remark TEXT NOT NULL, prompt_tokens INTEGER,
        generated_tokens INTEGER, load_time REAL, time_to_first_token REAL, prompt_rate REAL, generation_rate REAL,
        peak INTEGER, failure TEXT NOT NULL, PRIMARY KEY (round, side)
    ) STRICT;
    CREATE TABLE suite_runs (
        id TEXT PRIMARY KEY, time REAL NOT NULL, suite TEXT NOT NULL, digest TEXT NOT NULL, tasks INTEGER NOT NULL,
        sampling TEXT NOT NULL, engine TEXT NOT NULL, build TEXT NOT NULL, parties TEXT NOT NULL,
        complete INTEGER NOT NULL, key TEXT NOT NULL
    ) STRICT;
    CREATE INDEX suite_runs_by_time ON suite_runs (time);
    CREATE TABLE suite_results (
        run TEXT NOT NULL REFERENCES suite_runs (id) ON DELETE CASCADE, task TEXT NOT NULL, side TEXT NOT NULL,
        task_group TEXT NOT NULL, correct INTEGER, reason TEXT NOT NULL, answer TEXT NOT NULL,
        PRIMARY KEY (run, task, side)
    ) STRICT;
    """

ROUND_TOKENS = """
    CREATE TABLE round_tokens (
        round TEXT PRIMARY KEY REFERENCES rounds (id) ON DELETE CASCADE, place INTEGER NOT NULL, first TEXT, second TEXT
    ) STRICT;
    """
"""The first token that the answers of a round do not share."""
