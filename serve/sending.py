"""What is sent to a caller, looked at on its way."""

from starlette.types import Message, Send


class Sending:
    """Passes on what is sent, and remembers its status.

    Attributes:
        status: of the answer; 0 until one has begun.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Pass on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
