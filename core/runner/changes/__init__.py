"""Snapshots of an agent's folder outside of it, by content, and what has changed since."""
