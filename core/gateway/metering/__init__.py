"""The meter of model calls: the usage and cost of each call, and whether the next one is allowed."""
