"""The time limits of tests. A wait that succeeds costs nothing, and the machine may be busy."""

import os

START_S = 60.0  # for a server in a process of its own to answer at all
PATIENCE_S = float(os.environ.get("TEST_WAIT_S", "30"))  # tests/guards does not wait so long for what will not come
