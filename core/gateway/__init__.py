"""The gateway: a process through which boxes make model calls, connect to the internet and hand over their logs.

A box is known by the socket it speaks through, never by what it says. Real credentials are only here.
"""
