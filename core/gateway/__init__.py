"""The door of the boxes, a process of its own: model calls, what an agent may know of itself, and its log, kept.

A box is known by the socket it speaks through, never by what it says. Real credentials are only here.
"""
