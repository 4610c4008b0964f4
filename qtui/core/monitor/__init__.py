"""The recent past of machine and sessions, as values that the Monitor and its verb draw."""
