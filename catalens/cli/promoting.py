"""`promote`: another bundle for a running application."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import httpx
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.markup import escape

from catalens.cli.markup import bold
from catalens.cli.server import KEY
from catalog.errors import CatalensError, InvalidBundle

_DASHBOARD = "http://127.0.0.1:8265"


def promote(
    bundle: str,
    url: str,
    /,
    *,
    config: Path | None = None,
    dashboard: str | None = None,
    wait: Annotated[float, Parameter(validator=Number(gt=0))] = 600.0,
) -> None:
    """Have a running application answer with another bundle.

    Args:
        bundle: as the replicas reach it: a directory that is there for them, or s3://bucket/prefix.
        url: of the application, to see what becomes of it.
        config: the application's configuration file, to write the bundle into.
        dashboard: of Ray; what runs is changed through it. Without a config it is
            http://127.0.0.1:8265; with one and without this, the file is for you to apply. On
            Kubernetes always give a config: KubeRay's own comes back with the next change of it.
        wait: seconds, until all replicas must answer with the bundle.
    """
    from serve import promote
    from serve.problems import NotReady

    console = Console()
    key = os.environ.get(KEY)
    if "://" not in bundle and Path(bundle).exists():
        bundle = str(Path(bundle).absolute())  # replicas have another working directory
    _verify(bundle, console)
    _reach(url, key)
    if config is None:
        before = promote.deploy_bundle(dashboard or _DASHBOARD, bundle)
    else:
        before = promote.write_bundle(config, bundle)
        console.print(
            f"{bold(config)} names {escape(bundle)} instead of {escape(before)}.", soft_wrap=True
        )
        if dashboard is None:
            console.print(
                f"Apply it now. On Kubernetes: {_apply(config)}", markup=False, soft_wrap=True
            )
        else:
            promote.deploy_file(dashboard, config)
    version = ""
    try:
        with console.status("Waiting for the replicas") as status:
            for found, agreed in promote.watch(url, bundle, wait, key):
                version = found.version
                status.update(f"{found.state}: {found.version}, {agreed} answers in a row")
    except InvalidBundle as error:
        _take_back(before, config, dashboard)
        again = f" Apply it again: {_apply(config)}" if config and dashboard is None else ""
        raise CatalensError(
            error.what,
            where=bundle,
            fix=f"{before} goes on answering, and is named again.{again}",
        ) from error
    except NotReady as error:
        raise NotReady(
            error.what,
            where=error.where,
            fix=f"{bundle} is still named. To take it back: catalens promote {before} {url}",
        ) from error
    console.print(f"{bold(url)} answers with {version}.", soft_wrap=True)
    console.print(
        f"To go back: {shlex.join(['catalens', 'promote', before, url])}",
        markup=False,
        soft_wrap=True,
    )


def _verify(bundle: str, console: Console) -> None:
    """Refuse a bundle that can be seen from here to be none."""
    from inference.fetch import open_bundle

    if "://" in bundle or Path(bundle).exists():
        open_bundle(bundle)
    else:
        console.print(
            f"{bundle} is not on this machine; the replicas will verify it.", markup=False
        )


def _reach(url: str, key: str | None) -> None:
    """Refuse before anything is changed what could not be watched then."""
    from serve.problems import NotReady
    from serve.promote import ask

    try:
        ask(url, key)
    except httpx.TransportError as error:
        raise NotReady(f"it does not answer ({error}).", where=url) from None
    except (httpx.HTTPStatusError, ValueError, KeyError):
        return  # nothing is ready there, which another bundle may well mend


def _apply(config: Path) -> str:
    return f"kubectl apply --server-side -k {config.parent}"


def _take_back(before: str, config: Path | None, dashboard: str | None) -> None:
    from serve import promote

    if config is None:
        promote.deploy_bundle(dashboard or _DASHBOARD, before)
        return
    promote.write_bundle(config, before)
    if dashboard is not None:
        promote.deploy_file(dashboard, config)
