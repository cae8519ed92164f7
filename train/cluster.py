"""Ray: a cluster that is there already, or one inside this machine; imports nothing else."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray


@contextmanager
def ray_cluster() -> Iterator[None]:
    """The cluster of RAY_ADDRESS or the one already joined, else a local one that is ended."""
    own = not ray.is_initialized()
    if own:
        ray.init(
            logging_level=logging.ERROR,
            log_to_driver=False,
            include_dashboard=False if "RAY_ADDRESS" not in os.environ else None,
        )
    try:
        yield
    finally:
        if own:
            ray.shutdown()
