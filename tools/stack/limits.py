"""Limits of the operating system that hold for all processes of a stack."""

import contextlib
import resource

FILES_MAX = 65_536


def raise_open_files_limit() -> None:
    """Raise the limit of open files to what this user may have, for all processes of the stack.

    The usual 1,024 would limit the open websockets, without an error that says so. Not above
    FILES_MAX: where nothing is limited, Celery would close a thousand million file descriptors.
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if most == resource.RLIM_INFINITY else min(most, FILES_MAX)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, wanted), most))
