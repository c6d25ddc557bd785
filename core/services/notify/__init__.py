"""Sends notifications: a transport for each kind of channel, the loop that works off the outbox, what a person sets."""
