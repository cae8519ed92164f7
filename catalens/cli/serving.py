"""`serve`: a bundle over HTTP."""

from typing import Annotated

from cyclopts import Parameter

from serve.config import ServeConfig


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
    from serve.launch import serve_bundle

    serve_bundle(bundle, config)
