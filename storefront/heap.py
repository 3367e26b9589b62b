"""What a process has loaded, it keeps: the garbage collector need not look through it again.

Modules, settings, templates and addresses are 300,000 objects and more. A full collection looks at
all of them, and all threads stand still meanwhile: 0.14 to 0.22 s in a web process, in the first
seconds of a crowd, to find nothing.
"""

import gc


def keep_what_is_loaded() -> None:
    """Call when everything is loaded, and once more in a forked child that loads more."""
    gc.collect()
    gc.freeze()
