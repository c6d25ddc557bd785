"""Pages and actions that belong to one agent."""
