"""The settings, and the checks that refuse an unsafe combination of them."""
