"""`python -m storefront.stack`: the earlier name of `python -m tools.stack`."""

import runpy

runpy.run_module("tools.stack", run_name="__main__", alter_sys=True)
