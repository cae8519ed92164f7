"""Another bundle for a running application: written into its configuration, and watched until done.

Only the `user_config` of the deployments changes, so no replica is started or stopped: each loads
the bundle beside the one that answers, and changes over when it answers too.
"""

import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from catalog.errors import InvalidBundle, InvalidRequest
from catalog.tables import first_line
from serve.problems import NotReady

_BUNDLE: Final = re.compile(r"(?m)^([ ]+)user_config:[ ]*\n(\1[ ]+)bundle:[ ]*(\S.*?)[ ]*$")
_ASK_EVERY_S: Final = 0.2
# Answers in a row, each over a connection of its own. Proxies hand them out about by chance: of
# eight replicas, a hundred answers leave one out once in 80,000 times.
_AGREED: Final = 100
_UNREACHABLE_S: Final = 30.0


@dataclass(frozen=True)
class Answering:
    """What a replica says of itself in `/v1/model`.

    Attributes:
        version: of the bundle that answers.
        bundle: that was asked for last.
        state: loading, active or refused.
        reason: why it was refused.
    """

    version: str
    bundle: str
    state: str
    reason: str | None


class RateLimited(Exception):
    """The key may ask again after some seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


def write_bundle(file: Path, bundle: str) -> str:
    """Name another bundle in a configuration file; all else in it stays, comments too.

    Returns:
        The bundle that it named before.

    Raises:
        InvalidRequest: the file cannot be read, or names none or more than one.
    """
    if not bundle.strip() or not bundle.isprintable():
        raise InvalidRequest("no such path is written.", where=repr(bundle))
    try:
        text = file.read_text(encoding="utf-8")
        before = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidRequest(f"it cannot be read ({error}).", where=str(file)) from None
    named = _BUNDLE.findall(text)
    if len(named) != 1:
        raise InvalidRequest(
            f"it names {len(named) or 'no'} bundles in a user_config.",
            where=str(file),
            fix="It needs one deployment with user_config: and bundle: below it, each in a line.",
        )
    old = str(yaml.safe_load(named[0][2]))
    scalar = yaml.safe_dump(bundle, width=sys.maxsize).removesuffix("...\n").strip()
    written = _BUNDLE.sub(lambda found: f"{found[1]}user_config:\n{found[2]}bundle: {scalar}", text)
    assert yaml.safe_load(written) == _with_bundle(before, bundle)
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(written, encoding="utf-8")
    unfinished.replace(file)
    return old


def deploy_file(dashboard: str, file: Path) -> None:
    """What `serve deploy FILE` does.

    Raises:
        NotReady: Ray's dashboard cannot be reached, or refuses.
    """
    _put(dashboard, yaml.safe_load(file.read_text(encoding="utf-8")))


def deploy_bundle(dashboard: str, bundle: str) -> str:
    """Have what runs answer with another bundle; the one that was asked for before.

    Raises:
        NotReady: Ray's dashboard cannot be reached, or refuses.
        InvalidRequest: nothing runs there that was deployed from a configuration.
    """
    with _client(dashboard) as client:
        details = client.get_serve_details()
    applications = [
        one["deployed_app_config"]
        for one in details.get("applications", {}).values()
        if one.get("deployed_app_config")
    ]
    config = {
        "proxy_location": details.get("proxy_location"),
        "http_options": details.get("http_options"),
        "applications": applications,
    }
    named = [one["bundle"] for one in _user_configs(config)]
    if len(named) != 1:
        raise InvalidRequest(
            f"{len(named) or 'no'} applications with a bundle run there.",
            where=dashboard,
            fix="Deploy one first: serve deploy serve/config/gpu.yaml.",
        )
    _put(dashboard, _with_bundle(config, bundle))
    return str(named[0])


def watch(
    url: str, bundle: str, wait_s: float, key: str | None = None
) -> Iterator[tuple[Answering, int]]:
    """What replicas say, until all of them answer with a bundle; how many have done so in a row.

    Raises:
        InvalidBundle: a replica refused it; what answered before goes on answering.
        NotReady: it did not happen in time, or nothing answers.
    """
    agreed, until, reached = 0, time.monotonic() + wait_s, time.monotonic()
    last = "nothing was heard of it"
    while time.monotonic() < until:
        try:
            found = ask(url, key)
        except RateLimited as limit:
            time.sleep(limit.wait_s)
            continue
        except (httpx.HTTPError, ValueError, KeyError) as error:
            agreed = 0
            if time.monotonic() - reached > _UNREACHABLE_S:
                raise NotReady(f"it does not answer ({error}).", where=url) from None
            time.sleep(_ASK_EVERY_S)
            continue
        reached = time.monotonic()
        if found.bundle != bundle:
            agreed, last = 0, f"a replica still follows {found.bundle}"
        elif found.state == "refused":
            raise InvalidBundle(found.reason or "a replica refused it.", where=bundle)
        elif found.state == "active":
            agreed += 1
        else:
            agreed, last = 0, "a replica is still loading it"
        yield found, agreed
        if agreed >= _AGREED:
            return
        time.sleep(0 if agreed else _ASK_EVERY_S)
    raise NotReady(
        f"not all replicas answered with {bundle} within {wait_s:.0f} s: {last}.",
        where=url,
        fix="Was the configuration applied? /v1/model says what a replica does.",
    )


def ask(url: str, key: str | None) -> Answering:
    """What one of the replicas says.

    Raises:
        InvalidRequest: the server wants another key.
        RateLimited: the key has asked too often.
        HTTPError: it does not answer.
    """
    headers = {"Connection": "close"} | ({"Authorization": f"Bearer {key}"} if key else {})
    answer = httpx.get(f"{url.rstrip('/')}/v1/model", headers=headers, timeout=10.0)
    if answer.status_code in (401, 403):
        raise InvalidRequest(
            "it wants an API key.", where=url, fix="Set CATALENS_API_KEY to one that may read."
        )
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimited(float(answer.headers.get("Retry-After", 1)))
    answer.raise_for_status()
    model = answer.json()
    swap: Mapping[str, Any] = model["swap"]
    return Answering(model["model"], swap["bundle"], swap["state"], swap["reason"])


def _put(dashboard: str, config: Mapping[str, Any]) -> None:
    with _client(dashboard) as client:
        client.deploy_applications(dict(config))


@contextmanager
def _client(dashboard: str) -> Iterator[Any]:
    """A client of Ray's dashboard; whatever it raises, as ours."""
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient  # takes seconds

    try:
        yield ServeSubmissionClient(dashboard)
    except Exception as error:  # Ray raises bare ones
        raise NotReady(
            f"{first_line(error)}.",
            where=dashboard,
            fix="Name the dashboard's address (--dashboard), and RAY_AUTH_TOKEN if it asks.",
        ) from error


def _user_configs(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for application in config.get("applications") or ():
        for deployment in application.get("deployments") or ():
            user_config = deployment.get("user_config")
            if isinstance(user_config, dict) and "bundle" in user_config:
                yield user_config


def _with_bundle(config: Mapping[str, Any], bundle: str) -> dict[str, Any]:
    changed = deepcopy(dict(config))
    for user_config in _user_configs(changed):
        user_config["bundle"] = bundle
    return changed
