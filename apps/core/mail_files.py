"""Mail written to files instead of sent, which only their owner may read.

A mail holds names, addresses, the links that open an order or set a new password.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

from django.core.mail.backends import filebased


class PrivateFiles(filebased.EmailBackend):
    """Django's file backend, with a folder of 0700 and files of 0600 from their first byte."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folder = Path(self.file_path)
        if folder.stat().st_mode & 0o077:
            # The folder of another user stays as it is: the files in it are private all the same,
            # and mail must not stop.
            with contextlib.suppress(PermissionError):
                folder.chmod(0o700)

    def open(self) -> bool:
        if getattr(self, "stream", None) is not None:
            return False
        path = self._get_filename()  # type: ignore[attr-defined]
        self.stream = open(  # type: ignore[assignment]  # noqa: SIM115  (the backend closes it)
            path, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)
        )
        return True
