"""A websocket client that speaks ASGI to the application, without a server in between.

channels.testing has one too, but importing it needs daphne, which nothing else here does.
"""

from typing import Any
from urllib.parse import unquote

from asgiref.testing import ApplicationCommunicator


class WebsocketCommunicator(ApplicationCommunicator):
    """One socket, from handshake to close."""

    def __init__(
        self,
        application: Any,
        path: str,
        headers: list[tuple[bytes, bytes]] | None = None,
        subprotocols: list[str] | None = None,
    ) -> None:
        bare, _, query = path.partition("?")
        super().__init__(
            application,
            {
                "type": "websocket",
                "path": unquote(bare),
                "query_string": query.encode(),
                "headers": headers or [],
                "subprotocols": subprotocols or [],
                "client": ("192.0.2.1", 4711),
            },
        )

    async def connect(self, timeout: float = 1) -> tuple[bool, Any]:
        """(whether it was accepted, the subprotocol or the close code)."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout)
        if answer["type"] == "websocket.accept":
            return True, answer.get("subprotocol")
        return False, answer.get("code", 1000)

    async def send_to(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message = {"text": text_data} if text_data is not None else {"bytes": bytes_data}
        await self.send_input({"type": "websocket.receive"} | message)

    async def receive_from(self, timeout: float = 1) -> str:
        answer = await self.receive_output(timeout)
        assert answer["type"] == "websocket.send", answer
        return answer["text"]

    async def disconnect(self, code: int = 1000, timeout: float = 1) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait(timeout)
