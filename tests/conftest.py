"""Settings of every test: no deadlines, because the duration of one example of a property proves nothing."""

import atexit
import os
import typing

from hypothesis import settings

settings.register_profile("jobfeed", deadline=None)
settings.load_profile("jobfeed")

# Worker processes of pytest-xdist inherit these from readline. A rich console that is made while they are set keeps
# that width, whatever a test sets later.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# As pipelines/cli/main.py does: else types of DuckDB live on and are reported as leaked, one line each.
atexit.register(typing.clear_overloads)
