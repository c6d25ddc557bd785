"""The use cases of the web: what a person can do with agents, sessions, secrets and their account."""
