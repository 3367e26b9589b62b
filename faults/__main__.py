"""`python -m faults`: a short name for `python -m tools.faults`."""

import runpy

runpy.run_module("tools.faults", run_name="__main__", alter_sys=True)
