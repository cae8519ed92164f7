"""A look at the server from the side, again and again while a block of code runs."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Beside(ABC):
    """Looks at once and then every so many seconds, on a thread of its own.

    Args:
        every_s: seconds between two looks.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_again_and_again, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look_again_and_again(self) -> None:
        while True:
            self._look()
            if self._stop.wait(self._every_s):
                return

    @abstractmethod
    def _look(self) -> None:
        """Look once."""
