"""Our own log messages in a replica's log file."""

import logging
from typing import Final

_OURS: Final = ("serve", "catalog", "inference")


def log_as_ray_does() -> None:
    """To be called in a replica's constructor: what we log goes where Ray Serve's own lines go.

    In its fast mode Ray gives standard error to a logger of a higher level, so that what we log
    would be lost.
    """
    handlers = logging.getLogger("ray.serve").handlers
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers = list(handlers)
        logger.propagate = not handlers
