"""Terminals of a person in the box: each a shell on a pty, its last screen, and the filter of its output."""
