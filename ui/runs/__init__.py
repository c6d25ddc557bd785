"""Pages of runs and schedules: the day, one run, and when an agent works by itself."""
