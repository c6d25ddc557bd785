"""The dashboard page: all agents of the user, and the place to create the first one."""
