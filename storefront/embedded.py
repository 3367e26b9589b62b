"""`python -m storefront.embedded`: the earlier name of `python -m tools.embedded`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("tools.embedded", run_name="__main__", alter_sys=True)
