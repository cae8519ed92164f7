import asyncio
import base64
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from catalog.errors import EmbeddingMismatch, InvalidBundle
from catalog.store import Catalog
from inference.bundle import read_bundle
from serve.catalog_door import CatalogDoor
from serve.live_catalog import LiveCatalog
from serve.model import Hardware, ServedModel
from serve.service import Service
from serve.settings import read_settings
from tests.bundles import another
from tests.colours import colour_photo
from tests.serve.conftest import empty_catalog, running

RED = colour_photo("Warm/Red")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_swap_loses_no_request_and_ends_on_the_new_bundle(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    second = another(tiny_bundle, tmp_path / "second", provenance={"recipe": "second"})
    with (
        running(tiny_bundle) as server,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):
        seen = []

        def ask() -> str:
            answer = http.post("/v1/classify", content=RED, headers={"Content-Type": "image/jpeg"})
            assert answer.status_code == 200
            seen.append(answer.json()["model"])
            return seen[-1]

        first = ask()
        before = server.service.model.batcher
        started = time.monotonic()
        server.on_loop(lambda: server.service.slot.follow(str(second)))
        assert time.monotonic() - started < 0.5
        assert http.get("/v1/model").json()["swap"]["state"] in ("loading", "active")
        wanted = read_bundle(second).document.version
        until(lambda: ask() == wanted)
        assert seen[-1] != first
        assert sorted(set(seen), key=seen.index) == [first, wanted]
        assert http.get("/v1/model").json()["swap"] == {
            "state": "active",
            "bundle": str(second),
            "reason": None,
        }
        until(lambda: not before.alive)


@pytest.mark.parametrize("fault", ["changed", "missing", "remote"])
def test_a_bad_bundle_is_refused_with_its_reason_and_the_old_one_answers(
    tiny_bundle: Path, tmp_path: Path, fault: str
) -> None:
    uri = str(tmp_path / "bad")
    if fault == "remote":
        uri = "s3://bucket/bundle"
    if fault == "changed":
        shutil.copytree(tiny_bundle, uri)
        graph = Path(uri) / "model.fp32.onnx"
        graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with (
        running(tiny_bundle) as server,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):
        before = http.get("/v1/model").json()["model"]
        server.on_loop(lambda: server.service.slot.follow(uri))
        until(lambda: http.get("/v1/model").json()["swap"]["state"] == "refused")
        swap = http.get("/v1/model").json()
        assert (swap["model"], swap["swap"]["bundle"]) == (before, uri)
        reason = {"changed": "was changed", "missing": "no bundle", "remote": "cannot be fetched"}
        assert reason[fault] in swap["swap"]["reason"]
        assert http.get("/readyz").status_code == 200


def test_a_server_does_not_start_on_a_bundle_that_the_catalog_was_not_made_for(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    stranger = another(tiny_bundle, tmp_path / "stranger", embedding_id="f" * 16)
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")

    async def main() -> None:
        live = LiveCatalog(catalog, 60.0)
        door = CatalogDoor(lambda method, *args: getattr(live, method)(*args))
        with pytest.raises(EmbeddingMismatch, match="f" * 16):
            await Service(read_settings(), Hardware("cpu"), door).slot.first(str(stranger))

    asyncio.run(main())


def test_a_swap_to_another_embedding_embeds_the_catalog_and_loses_no_product(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    second = another(tiny_bundle, tmp_path / "second", embedding_id="f" * 16)
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")
    with (
        running(tiny_bundle, catalog, maintain_every_s=0.5) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http,
    ):
        put = []

        def ask() -> None:
            number = len(put)
            product = {"name": f"Lamp {number}", "image": base64.b64encode(RED).decode()}
            answer = http.put(f"/v1/products/p{number}", json=product | {"category": "Home"})
            assert answer.status_code == 200, answer.text
            put.append(f"p{number}")
            found = http.post("/v1/search", json={"product": product, "limit": 100})
            assert found.status_code == 200, found.text
            assert put[-1] in [one["id"] for one in found.json()["results"]]
            placed = http.post("/v1/categorize", json={"product": product})
            assert (placed.status_code, placed.json()["path"]) == (200, "Home")

        for _ in range(5):
            ask()
        server.on_loop(lambda: server.service.slot.follow(str(second)))

        def changed_over() -> bool:
            ask()
            return bool(http.get("/v1/model").json()["swap"]["state"] == "active")

        until(changed_over)
        facts = http.get("/v1/model").json()
        assert facts["embedding_id"] == facts["catalog"]["embedding_id"] == "f" * 16
        assert facts["catalog"]["reindexed"] is None
        ask()
        found = Catalog.open(catalog, "f" * 16)
        assert sorted(found.ids()) == sorted(put)
        # One that was put in the moment of the change-over has its new embedding after upkeep.
        until(lambda: all(one.embedding is not None for one in found.scan(with_embeddings=True)))


def test_a_first_bundle_that_is_bad_is_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(InvalidBundle):
            await Service(read_settings(), Hardware("cpu")).slot.first(str(tmp_path))

    asyncio.run(main())


def test_a_graph_that_answers_in_another_shape_is_refused(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    wide = another(tiny_bundle, tmp_path / "wide", classes=("A", "B"))
    with pytest.raises(InvalidBundle, match="its graph answers"):
        ServedModel(str(wide), read_settings(), Hardware("cpu"))


def test_a_model_that_stops_answering_is_not_ready(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: np.ndarray) -> None:
        raise RuntimeError("the device is gone")

    with running(tiny_bundle) as server:
        monkeypatch.setattr(server.service.model.session, "run", broken)
        answer = httpx.get(f"{server.url}/readyz", trust_env=False)
        assert (answer.status_code, answer.json()["type"]) == (503, "not-ready")
        assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
        assert json.loads(answer.text)["status"] == 503
