"""`python -m bench`: a short name for `python -m tools.bench`."""

import runpy

runpy.run_module("tools.bench", run_name="__main__", alter_sys=True)
