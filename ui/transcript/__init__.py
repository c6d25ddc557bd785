"""The transcript: what a session said and did, folded from its events and drawn by one element."""
