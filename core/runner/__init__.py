"""The daemon in the user's box: owns the user's Claude Code processes and the numbered logs of their sessions."""
