"""The transcript: what a session said and did, reduced from its events and drawn by one element."""
