"""A server that a command asks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from catalens.client import Client, ClientError
from catalog.errors import CatalensError

KEY = "CATALENS_API_KEY"


@contextmanager
def asked_server(url: str) -> Iterator[Client]:
    """A client with the key of the environment; the server's refusals are errors of ours."""
    try:
        with Client(url, key=os.environ.get(KEY)) as client:
            yield client
    except ClientError as error:
        raise CatalensError(error.detail, where=error.where or url, fix=error.fix) from error
