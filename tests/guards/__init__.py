"""Mutation proof: every guard is taken out of a copy of the program, and a test must go red.

The program has no switches: a guard that can be switched off is a hole. A row of the table says which words of which
file are the guard, what stands there when it is off, and which tests notice. To add one: append a `Guard` to the file
of this folder where its neighbours are (a new file is found by itself if it has `GUARDS`), then

    make guards ONLY=part-of-its-name

How it runs: the sources are copied (tree.py); a process in that copy has all libraries loaded (nursery.py) and forks
for each row, so a proof costs the tests it names and not a start of Python; some copies work side by side. All tests
that the table names must also be green in an untouched copy: otherwise red would prove nothing.

A row fails when its words are not there exactly once, when its tests stay green, and when they are red for another
reason than what they assert: an import that breaks, a name that is missing, a wait that never ended.
"""
