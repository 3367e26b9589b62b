"""A small forward proxy: opens tunnels by CONNECT, asks for a password if told to, can break."""

from __future__ import annotations

import base64
import socket
import threading
from contextlib import suppress


class ConnectProxy:
    """Listens on a port of its own. `requests` are the first lines that it was sent.

    password: what it asks for, as `user:password`; empty: nothing.
    refuses: the status with which it opens no tunnel; 0: it opens them.
    cuts_answers: it passes requests on and cuts the tunnel before the answer.
    """

    def __init__(self, *, password: str = "", refuses: int = 0, cuts_answers: bool = False) -> None:
        self.password = password
        self.refuses = refuses
        self.cuts_answers = cuts_answers
        self.requests: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(65536)
                if not more:
                    return
                head += more
            lines = head.decode("latin-1").split("\r\n")
            self.requests.append(lines[0])
            if status := self._refusal(lines):
                client.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            host, _, port = lines[0].split()[1].rpartition(":")
            try:
                there = socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            with there:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self._answers, args=[there, client], daemon=True)
                back.start()
                _pipe(client, there)
                back.join()

    def _refusal(self, lines: list[str]) -> int:
        if not lines[0].startswith("CONNECT "):
            return 405
        given = base64.b64encode(self.password.encode()).decode()
        if self.password and f"Proxy-Authorization: Basic {given}" not in lines:
            return 407
        return self.refuses

    def _answers(self, there: socket.socket, client: socket.socket) -> None:
        if self.cuts_answers:
            with suppress(OSError):
                there.recv(1)
                client.shutdown(socket.SHUT_RDWR)
            return
        _pipe(there, client)


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        source.settimeout(None)
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
