"""The sections of an agent's page, one module each."""
