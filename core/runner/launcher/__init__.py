"""The Landlock domain of an agent's programs: a launcher that the CLI runs, and a fork server."""
