"""The command: wiring, verbs and tables. The only place that sees services and ui together."""
