"""Outbound connections of boxes: requested on the box's socket, checked, connected, counted and logged."""
