"""The meter of model calls: what each call used, what it cost, and whether the next one may be made."""
