"""The transcript: a session's messages and tool calls, reduced from its events and drawn by one element."""
