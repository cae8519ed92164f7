"""Commits that lose a race to another writer are tried again, a bounded number of times.

LanceDB 0.40 has no exception type for a lost race: it raises RuntimeError, ValueError or OSError,
and only the message tells. It retries most of them itself; these are the rest.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from catalog.errors import Overloaded

logger = logging.getLogger(__name__)

_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
_LOST_RACE: Final = ("commit conflict", "concurrent", "already exists")

Answer = TypeVar("Answer")


def commit(action: Callable[[], Answer]) -> Answer:
    """Run an idempotent write until it is committed.

    Raises:
        Overloaded: 8 attempts over about 4 s have all lost to other writers.
        RuntimeError, ValueError, OSError: LanceDB's own, when it is about anything else.
    """
    for pause in (*_PAUSES_S, None):
        try:
            return action()
        except (RuntimeError, ValueError, OSError) as error:
            text = str(error)
            if not any(sign in text.lower() for sign in _LOST_RACE):
                raise
            if pause is None:
                raise Overloaded(
                    "Other writers of the catalog were faster, again and again.",
                    where="catalog",
                    fix="Try again.",
                ) from error
            logger.info("commit lost a race", extra={"pause_s": pause, "error": text[:200]})
        time.sleep(random.uniform(pause / 2, pause))  # apart, or they meet again
    raise AssertionError("the last attempt returns or raises")
