"""The settings page, one file for each of its sections."""
