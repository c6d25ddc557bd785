"""The page `/usage`: what was used, what it cost, and the limits of what may be used."""
