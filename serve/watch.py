"""Who is told what becomes of requests and photos; metrics are made of it."""

from collections.abc import Sequence
from typing import Final


class Watch:
    """Told of everything, from several threads; this one does not care."""

    def answered(self, call: str, status: int, seconds: float) -> None:
        """A request to ``call`` (a route, such as /v1/classify) ended."""

    def serving(self, version: str, variant: str, device: str) -> None:
        """Another bundle answers from now on."""

    def queue(self, photos: int) -> None:
        """So many are admitted and not answered."""

    def rejected(self, photos: int) -> None:
        """The queue was full."""

    def late(self, photos: int) -> None:
        """They waited past their deadline and were not computed."""

    def abandoned(self, photos: int) -> None:
        """Nobody waits for them any more; they were not computed."""

    def unreadable(self, photos: int) -> None:
        """They could not be decoded."""

    def decoded(self, seconds: float) -> None:
        """One photo was decoded."""

    def compared(self, agreed: bool) -> None:
        """A candidate saw a photo, and put it where the bundle that answers does, or elsewhere."""

    def computed(self, waited_s: Sequence[float], seconds: float) -> None:
        """A batch was run; for each of its photos, how long it waited before."""


NOBODY: Final = Watch()
