"""Notifications are recorded here by every process that records the fact itself; a web process sends them."""
