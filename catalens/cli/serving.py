"""`serve` and `new-key`: a bundle over HTTP, and who may call."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from inference.bundle import DOCUMENT, read_bundle
from serve.launch_config import ServeConfig


def serve(
    bundle: str,
    /,
    *,
    config: Annotated[ServeConfig, Parameter(name="*")] = ServeConfig(),
) -> None:
    """Serve a bundle until Ctrl-C.

    Args:
        bundle: directory of the bundle.
        config: how to serve it.
    """
    if "://" not in bundle and not (Path(bundle) / DOCUMENT).exists():
        read_bundle(bundle)  # refuses at once, before what takes seconds to import
    Console().print("Starting; ready in about half a minute.")
    from serve.launch import serve_bundle  # LanceDB and Ray take seconds

    serve_bundle(bundle, config)


def new_key(
    name: str,
    /,
    *,
    file: Path,
    scope: Literal["read", "write"] = "read",
    rate: str | None = None,
) -> None:
    """Make an API key.

    Args:
        name: of who will call with it.
        file: of the keys; it is made if it is not there.
        scope: write may change the catalog, read everything else.
        rate: requests that it may make of a replica, such as 100/second.
    """
    from serve.access.keys import create_key

    key = create_key(file, name, scope, rate)
    Console(stderr=True).print(
        f"{name} may {scope}; {file} holds the hash of its key:", markup=False, soft_wrap=True
    )
    print(key)  # noqa: T201 - the one thing that is for a pipe
