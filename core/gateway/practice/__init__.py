"""The practice model: a builder without a key and without a network, so that everything else can be tried for real.

It is a function of the request. What was said, which tools were used and what they returned are all in there, so it
needs no memory: it goes on rightly after a denial, a resume or a restart, and in any number of sessions at once.
"""
