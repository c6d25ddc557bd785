"""The workspace page: the sessions of one agent, the transcript, request cards and the composer."""
