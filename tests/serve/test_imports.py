import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from catalog.product import Product
from catalog.store import Catalog
from serve.settings import read_settings
from tests.colours import colour_photo
from tests.serve.conftest import Running, empty_catalog, running

NDJSON = {"Content-Type": "application/x-ndjson"}
RED = base64.b64encode(colour_photo("Warm/Red")).decode()


@pytest.fixture
def shop(tiny_bundle: Path, tmp_path: Path) -> Iterator[Running]:
    """A server with a catalog of its own and a small queue, which an import fills."""
    limits = read_settings(max_batch=4, max_queue=8, max_photos=8, max_photo_bytes=100_000)
    with running(tiny_bundle, empty_catalog(tiny_bundle, tmp_path / "catalog"), limits) as found:
        yield found


@pytest.fixture
def client(shop: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, timeout=60, trust_env=False) as http:
        yield http


def send(client: httpx.Client, *lines: object) -> httpx.Response:
    body = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    return client.post("/v1/products:import", content=body, headers=NDJSON)


def test_products_of_an_import_are_found_by_the_next_search(client: httpx.Client) -> None:
    lines = [
        {"id": f"p{number}", "name": f"Red lamp {number}", "image": RED, "category": "Home"}
        for number in range(40)
    ]
    answer = send(client, *lines)
    assert (answer.status_code, answer.json()) == (
        200,
        {"stored": 40, "refused": 0, "problems": []},
    )
    assert client.get("/v1/model").json()["catalog"]["products"] == 40
    found = client.get("/v1/products/p7").json()
    assert (found["name"], found["category"], found["photos"]) == ("Red lamp 7", "Home", 1)


def test_a_line_that_cannot_be_kept_costs_only_itself(client: httpx.Client) -> None:
    answer = send(
        client,
        {"id": "good", "name": "Good"},
        "no json",
        "",
        {"id": "", "name": "No id"},
        {"id": "empty"},
        {"id": "bad", "image": base64.b64encode(b"no photo").decode()},
        {"id": "wrong", "name": 7},
        {"id": "large", "name": "x", "image": "A" * 300_000},
        {"id": "last", "name": "Last", "attributes": {"brand": "Acme"}},
    ).json()
    assert (answer["stored"], answer["refused"]) == (2, 6)
    assert [(one["line"], one["id"], one["problem"]["type"]) for one in answer["problems"]] == [
        (2, None, "invalid-request"),
        (4, "", "invalid-request"),
        (5, "empty", "invalid-request"),
        (6, "bad", "invalid-image"),
        (7, None, "invalid-request"),
        (8, None, "request-too-large"),
    ]
    assert client.get("/v1/products/last").json()["attributes"] == {"brand": "Acme"}


def test_of_equal_ids_the_last_line_wins(client: httpx.Client) -> None:
    lines = [{"id": "same", "name": f"Name {number}", "image": RED} for number in range(12)]
    assert send(client, *lines, {"id": "same", "name": "Final"}).json()["stored"] == 13
    assert client.get("/v1/products/same").json()["name"] == "Final"
    assert client.get("/v1/model").json()["catalog"]["products"] == 1


def test_lines_may_come_in_pieces_and_end_without_a_newline(client: httpx.Client) -> None:
    text = json.dumps({"id": "a", "name": "Ä"}) + "\r\n" + json.dumps({"id": "b", "name": "B"})
    data = text.encode()
    pieces = (data[place : place + 3] for place in range(0, len(data), 3))
    answer = client.post("/v1/products:import", content=pieces, headers=NDJSON)
    assert answer.json()["stored"] == 2


def test_another_media_type_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/products:import", json={"id": "a", "name": "A"})
    assert (answer.status_code, answer.json()["type"]) == (415, "unsupported-media-type")


def test_other_requests_are_answered_while_an_import_goes_on(client: httpx.Client) -> None:
    photo = base64.b64decode(RED)

    def lines() -> Iterator[bytes]:
        for number in range(30):
            yield json.dumps({"id": f"p{number}", "image": RED}).encode() + b"\n"
            if number % 10 == 9:
                answered = httpx.post(
                    f"{client.base_url}/v1/classify", content=photo, timeout=30, trust_env=False
                )
                assert answered.status_code in (200, 503)

    assert (
        client.post("/v1/products:import", content=lines(), headers=NDJSON).json()["stored"] == 30
    )


def test_what_goes_wrong_unexpectedly_costs_only_its_line(
    shop: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Catalog.put

    def breaks(self: Catalog, products: Sequence[Product]) -> None:
        if any(product.id == "p1" for product in products):
            raise RuntimeError("lance error")
        real(self, products)

    monkeypatch.setattr(Catalog, "put", breaks)
    answer = send(client, *({"id": f"p{n}", "name": "x"} for n in range(4))).json()
    assert (answer["stored"], answer["refused"]) == (3, 1)
    problem = answer["problems"][0]
    assert (problem["id"], problem["problem"]["type"]) == ("p1", "internal")
    assert "lance" not in str(answer)
