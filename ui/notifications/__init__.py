"""Notifications in the words of their reader."""
