"""Cutting a client's connection from inside the server, as a broken network would.

The server offers no way to drop a connection without an answer, so the socket is found among
this process's own file descriptors by its peer. Only fault modes come here.
"""

from __future__ import annotations

import os
import socket
import stat
import struct

_FDS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"


def cut(client: tuple[str, int | str] | None) -> bool:
    """Reset the connection from `client`. False when it is already gone."""
    if client is None:
        return False
    host, port = client[0], int(client[1])  # some servers give the port as text
    for name in os.listdir(_FDS):
        duplicate = _socket(int(name))
        if duplicate is None:
            continue
        with duplicate:
            try:
                peer = duplicate.getpeername()
            except OSError:
                continue
            if isinstance(peer, tuple) and (peer[0], peer[1]) == (host, port):
                # Linger zero: the kernel sends RST instead of FIN.
                duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                duplicate.shutdown(socket.SHUT_RDWR)
                return True
    return False


def _socket(fd: int) -> socket.socket | None:
    """A duplicate of `fd`, if it is a socket. Other descriptors are not duplicated:
    the copies would double with every connection cut, until none can be opened any more."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return None
        return socket.socket(fileno=os.dup(fd))
    except OSError:
        return None  # closed since it was listed
