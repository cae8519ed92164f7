"""A candidate bundle that sees live photos, and what it would change."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from inference.bundle import read_bundle
from serve.shadow import ShadowState
from tests.bundles import another
from tests.colours import COLOURS, colour_photo
from tests.serve.conftest import Running, running


@pytest.fixture
def server(tiny_bundle: Path) -> Iterator[Running]:
    with running(tiny_bundle) as found:
        yield found


def state(server: Running) -> ShadowState | None:
    found = httpx.get(f"{server.url}/v1/model", trust_env=False).json()["shadow"]
    return None if found is None else ShadowState.model_validate(found)


def follow(server: Running, uri: str | None, share: float = 1.0) -> None:
    server.on_loop(lambda: server.service.shadow.follow(uri, share))
    end = time.monotonic() + 30
    while (found := state(server)) is not None and found.state == "loading":
        assert time.monotonic() < end
        time.sleep(0.05)


def classify(server: Running, path: str) -> str:
    answer = httpx.post(f"{server.url}/v1/classify", content=colour_photo(path), trust_env=False)
    assert answer.status_code == 200
    return str(answer.json()["results"][0]["categories"][0]["path"])


def compared(server: Running, photos: int) -> ShadowState:
    end = time.monotonic() + 30
    while (found := state(server)) is None or found.photos < photos:
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_without_a_candidate_there_is_nothing_to_say(server: Running) -> None:
    classify(server, "Warm/Red")
    assert state(server) is None


def test_a_candidate_that_says_the_same_agrees(
    server: Running, tiny_bundle: Path, tmp_path: Path
) -> None:
    candidate = another(tiny_bundle, tmp_path / "same", temperature=2.0)
    follow(server, str(candidate))
    for path in COLOURS:
        classify(server, path)
        compared(server, 1)
    found = compared(server, len(COLOURS))
    assert found.agreed == found.photos == len(COLOURS)
    assert found.changes == []
    assert found.model == read_bundle(candidate).document.version


def test_what_a_candidate_would_change_is_told_and_nothing_of_it_is_answered(
    server: Running, tiny_bundle: Path, tmp_path: Path
) -> None:
    classes = list(COLOURS)
    swapped = (*classes[:2], classes[3], classes[2])
    follow(server, str(another(tiny_bundle, tmp_path / "other", classes=swapped)))
    for number, path in enumerate(classes, start=1):
        assert classify(server, path) == path
        compared(server, number)
    found = compared(server, 4)
    assert found.agreed == 2
    told = {(one.path, one.candidate): one.photos for one in found.changes}
    assert told == {(classes[2], classes[3]): 1, (classes[3], classes[2]): 1}


def test_a_bad_candidate_disturbs_nobody(server: Running, tmp_path: Path) -> None:
    follow(server, str(tmp_path / "none"))
    found = state(server)
    assert found is not None
    assert (found.state, found.photos) == ("refused", 0)
    assert "no bundle" in str(found.reason)
    assert classify(server, "Warm/Red") == "Warm/Red"


def test_a_share_of_none_sees_nothing_and_a_candidate_can_be_dropped(
    server: Running, tiny_bundle: Path
) -> None:
    follow(server, str(tiny_bundle), share=0.0)
    for _ in range(5):
        classify(server, "Warm/Red")
    found = state(server)
    assert found is not None
    assert found.photos == 0
    follow(server, None)
    assert state(server) is None
    assert classify(server, "Warm/Red") == "Warm/Red"
