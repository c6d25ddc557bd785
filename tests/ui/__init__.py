"""Pages, seen in a real browser over fakes."""
