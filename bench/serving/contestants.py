"""Who is measured: ourselves, the peers, and the ceiling; each started afresh for every round."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.peers.registry import Peer, running
from bench.serving import ceiling
from catalens.background import served
from catalog.errors import CatalensError
from inference.devices import Device

_TOLERANCE = 1e-3
JPEG = "image/jpeg"


class AnswersDiffer(CatalensError):
    """A contestant does not give the answers of the graph, so its speed says nothing."""

    type = "answers-differ"


Ranked = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Contestant:
    """A server that classifies one photo per request.

    Attributes:
        name: what it is called in figures.
        serving: starts it and stops it; gives its address.
        path: where a photo is posted.
        content_type: of the body.
        body: that body, from a photo.
        headers: more than the content type.
        ranked: categories and probabilities, best first, from its answer.
    """

    name: str
    serving: Callable[[], AbstractContextManager[str]]
    path: str
    content_type: str
    body: Callable[[bytes], bytes]
    headers: dict[str, str]
    ranked: Callable[[bytes], Ranked]


def ourselves(bundle: Path, variant: str, port: int) -> Contestant:
    """`catalens serve` with one of the bundle's graphs."""
    return Contestant(
        f"catalens_{variant}",
        lambda: served(bundle, None, port, "--variant", variant),
        "/v1/classify",
        JPEG,
        bytes,
        {},
        _ours,
    )


def peer(one: Peer, bundle: Path, classes: Sequence[str], port: int, photo: bytes) -> Contestant:
    """A peer; ``photo`` is what it must answer to count as started."""

    @contextmanager
    def serving() -> Iterator[str]:
        with running(one, bundle, port, photo):
            yield f"http://127.0.0.1:{port}"

    headers = dict(one.headers)
    content_type = headers.pop("Content-Type")
    return Contestant(
        one.name,
        serving,
        one.path,
        content_type,
        one.body,
        headers,
        lambda answer: one.top_categories(answer, classes),
    )


def check_answers(
    contestant: Contestant, address: str, photos: Sequence[bytes], expected: Sequence[Ranked]
) -> None:
    """Ask about every photo and compare with the graph in process.

    Args:
        contestant: who is asked.
        address: where it listens.
        photos: encoded.
        expected: per photo, categories with their probabilities, best first.

    Raises:
        AnswersDiffer: another top-1, or a probability that is off by more than 1e-3.
    """
    headers = {"Content-Type": contestant.content_type} | contestant.headers
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        for photo, ranked in zip(photos, expected, strict=True):
            answer = client.post(contestant.path, content=contestant.body(photo), headers=headers)
            answer.raise_for_status()
            found = contestant.ranked(answer.content)
            same = found[0][0] == ranked[0][0] and all(
                abs(dict(found).get(path, 0.0) - share) <= _TOLERANCE for path, share in ranked
            )
            if not same:
                raise AnswersDiffer(
                    f"it answers {found[0]} where the graph says {ranked[0]}.",
                    where=contestant.name,
                )


def measured_ceiling(
    bundle: Path, variant: str, device: Device, seconds: float, photos: Sequence[Path]
) -> dict[str, float]:
    """Photos per second in process, by layout of the threads; in a process of its own."""
    command = [sys.executable, "-m", ceiling.__name__, str(bundle), variant, device, str(seconds)]
    run = subprocess.run([*command, *map(str, photos)], check=True, capture_output=True, text=True)
    rates: dict[str, float] = json.loads(run.stdout)
    return rates


def _ours(answer: bytes) -> Ranked:
    found = json.loads(answer)["results"][0]["categories"]
    return [(one["path"], one["probability"]) for one in found]
