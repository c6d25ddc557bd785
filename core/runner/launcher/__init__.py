"""How an agent's programs get a Landlock domain of their own: a client that the CLI runs, and a fork server."""
