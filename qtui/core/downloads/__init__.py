"""Downloads: what is fetched, by which rules a queue runs, and the run itself."""
