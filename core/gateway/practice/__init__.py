"""The practice model: an agent builder that needs no key and no network, for trying everything else for real.

It is a function of the request. What was said, which tools were used and what they returned are all in there, so it
needs no memory: it goes on rightly after a denial, a resume or a restart, and in any number of sessions at once.
"""
