"""The administration page, one file for each of its sections."""
