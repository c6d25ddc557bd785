"""The APIs between our own processes, declared once for both ends."""
