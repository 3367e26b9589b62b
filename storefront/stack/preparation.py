"""`python -m storefront.stack.preparation`: the earlier name of `tools.stack.bootstrap`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("tools.stack.bootstrap", run_name="__main__", alter_sys=True)
