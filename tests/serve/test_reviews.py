import base64
import csv
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openpyxl import load_workbook
from PIL import Image

from catalog.reviews.queue import Reviews
from serve.settings import read_settings
from tests.colours import colour_photo
from tests.serve.conftest import Running, empty_catalog, running

PHOTO = colour_photo("Warm/Red", seed=3)


@pytest.fixture
def shop(tiny_bundle: Path, tmp_path: Path) -> Iterator[Running]:
    """A server with a catalog of its own."""
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")
    with running(tiny_bundle, catalog, read_settings()) as found:
        yield found


@pytest.fixture
def client(shop: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, timeout=30, trust_env=False) as http:
        yield http


def ask(client: httpx.Client, name: str = "Zzyzx", product_id: str | None = None) -> dict:
    """Categorize by a name that says nothing, so that a person has to look."""
    answer = client.post("/v1/categorize", json={"product": {"name": name}, "id": product_id})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_categorize_then_queue_then_correct_then_it_is_right_then_undo(
    client: httpx.Client,
) -> None:
    first = ask(client)
    assert first["decision"] != "auto"
    (queued,) = client.get("/v1/reviews").json()["reviews"]
    assert (queued["id"], queued["status"], queued["name"]) == (first["review"], "open", "Zzyzx")
    corrected = client.post(f"/v1/reviews/{queued['id']}:correct", json={"path": "Toys/Puzzles"})
    assert (corrected.status_code, corrected.json()["status"]) == (200, "corrected")
    assert client.get("/v1/reviews").json()["reviews"] == []
    again = ask(client)
    assert (again["path"], again["decision"], again["score"]) == ("Toys/Puzzles", "auto", 1.0)
    found = client.post("/v1/search", json={"text": "zzyzx"}).json()["results"]
    assert [one["category"] for one in found] == ["Toys/Puzzles"]
    undone = client.post(f"/v1/reviews/{queued['id']}:undo")
    assert (undone.status_code, undone.json()["status"]) == (200, "open")
    assert ask(client)["path"] == first["path"]
    assert client.post("/v1/search", json={"text": "zzyzx"}).json()["results"] == []


def test_a_photo_in_review_is_shown_filed_and_found_by_its_likeness(client: httpx.Client) -> None:
    blurred = Image.open(io.BytesIO(colour_photo("Warm/Red", 1)))
    violet = Image.blend(blurred, Image.open(io.BytesIO(colour_photo("Cool/Blue", 1))), 0.5)
    out = io.BytesIO()
    violet.save(out, "PNG")
    body = {"product": {"image": base64.b64encode(out.getvalue()).decode()}, "id": "violet-1"}
    placed = client.post("/v1/categorize", json=body).json()
    assert placed["decision"] != "auto"  # a mixed colour is none of the four
    review = client.get(f"/v1/reviews/{placed['review']}").json()
    photo = client.get(review["photos"][0])
    assert photo.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(photo.content)).size == violet.size
    client.post(f"/v1/reviews/{placed['review']}:correct", json={"path": "Violet"})
    stored = client.get("/v1/products/violet-1").json()
    assert (stored["category"], stored["photos"]) == ("Violet", 1)
    near = client.post("/v1/search", json={"product": body["product"]}).json()["results"]
    assert near[0]["id"] == "violet-1"
    assert near[0]["image_similarity"] > 0.9


def test_accepting_files_the_product_under_what_was_answered(client: httpx.Client) -> None:
    for category in ("Home", "Toys"):
        client.put(f"/v1/products/{category}", json={"name": "Blue paint", "category": category})
    placed = ask(client, "Blue paint", "p-7")
    assert (placed["decision"], placed["path"] in ("Home", "Toys")) == ("review", True)
    accepted = client.post(f"/v1/reviews/{placed['review']}:accept").json()
    assert accepted["status"] == "accepted"
    assert client.get("/v1/products/p-7").json()["category"] == placed["path"]


def test_the_same_product_is_queued_once_however_often_it_is_asked(client: httpx.Client) -> None:
    ids = {ask(client)["review"] for _ in range(3)}
    assert len(ids) == 1
    assert client.get("/v1/reviews").json()["total"] == 1


def test_deleting_a_product_deletes_its_reviews(client: httpx.Client) -> None:
    placed = ask(client, product_id="gone")
    client.post(f"/v1/reviews/{placed['review']}:correct", json={"path": "Toys"})
    assert client.delete("/v1/products/gone").status_code == 204
    missing = client.get(f"/v1/reviews/{placed['review']}")
    assert (missing.status_code, missing.json()["type"]) == (404, "unknown-review")
    assert ask(client, product_id="gone")["path"] != "Toys"


def test_what_only_waits_for_a_person_can_be_deleted_too(client: httpx.Client) -> None:
    review = ask(client, product_id="waiting")["review"]
    assert client.delete("/v1/products/waiting").status_code == 204
    assert client.get(f"/v1/reviews/{review}").status_code == 404
    assert client.delete("/v1/products/waiting").status_code == 404


def test_asking_again_does_not_write_again_and_keeps_the_place_in_the_queue(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(client, "Zzyzx one", "p1")
    ask(client, "Zzyzx two", "p2")
    before = client.get("/v1/reviews").json()
    monkeypatch.setattr(Reviews, "keep", lambda *_: pytest.fail("written again"))
    ask(client, "Zzyzx one", "p1")
    assert client.get("/v1/reviews").json() == before


def test_the_queue_is_read_page_by_page(client: httpx.Client) -> None:
    asked = [ask(client, f"Zzyzx {number}", f"p{number}")["review"] for number in range(5)]
    pages, after = [], None
    while True:
        page = client.get("/v1/reviews", params={"limit": 2} | ({"after": after} if after else {}))
        pages.append([one["id"] for one in page.json()["reviews"]])
        assert page.json()["total"] == 5
        after = page.json()["next"]
        if after is None:
            break
    assert pages == [asked[:2], asked[2:4], asked[4:]]


def test_decisions_are_exported_as_csv_and_excel(client: httpx.Client) -> None:
    placed = ask(client, "Zzyzx, größe 4", "p1")
    client.post(f"/v1/reviews/{placed['review']}:correct", json={"path": "Toys"})
    table = client.get("/v1/reviews:export")
    assert table.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert (row["id"], row["name"], row["category"]) == ("p1", "Zzyzx, größe 4", "Toys")
    book = client.get("/v1/reviews:export", params={"format": "xlsx"})
    rows = list(load_workbook(io.BytesIO(book.content)).active.values)
    assert rows[1][1] == "Toys"


@pytest.mark.parametrize(
    ("call", "body", "status", "kind"),
    [
        (":accept", None, 404, "unknown-review"),
        (":correct", {"path": "A"}, 404, "unknown-review"),
        (":undo", None, 404, "unknown-review"),
        ("/photos/0", None, 404, "unknown-review"),
    ],
)
def test_a_review_that_is_not_there_is_a_problem(
    client: httpx.Client, call: str, body: dict | None, status: int, kind: str
) -> None:
    method = "GET" if call.startswith("/") else "POST"
    answer = client.request(method, f"/v1/reviews/nobody{call}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, kind)


def test_what_cannot_be_decided_is_a_problem_that_says_why(client: httpx.Client) -> None:
    review = ask(client)["review"]
    empty = client.post(f"/v1/reviews/{review}:correct", json={"path": " / "})
    assert (empty.status_code, empty.json()["where"]) == (422, "path")
    early = client.post(f"/v1/reviews/{review}:undo")
    assert (early.status_code, early.json()["status"]) == (200, "open")
    client.post(f"/v1/reviews/{review}:correct", json={"path": "A"})
    twice = client.post(f"/v1/reviews/{review}:correct", json={"path": "B"})
    assert (twice.status_code, twice.json()["fix"]) == (422, "Undo that first.")
    assert client.get("/v1/reviews", params={"status": "wrong"}).status_code == 422
    assert client.get("/v1/reviews", params={"after": "nowhere"}).json()["where"] == "after"
    assert client.get(f"/v1/reviews/{review}/photos/0").status_code == 404


def test_without_a_catalog_there_is_no_queue(bare_server: Running) -> None:
    answer = httpx.get(f"{bare_server.url}/v1/reviews", trust_env=False)
    assert (answer.status_code, answer.json()["type"]) == (409, "catalog-missing")


def test_a_moved_category_takes_products_reviews_and_what_the_model_says_along(
    client: httpx.Client,
) -> None:
    red = {"image": base64.b64encode(PHOTO).decode()}
    assert client.post("/v1/categorize", json={"product": red}).json()["path"] == "Warm/Red"
    client.put("/v1/products/p1", json={"name": "Red paint", "category": "Warm/Red"})
    review = ask(client)["review"]
    client.post(f"/v1/reviews/{review}:correct", json={"path": "Warm/Red/Dark"})
    moved = client.post("/v1/categories:move", json={"old": "Warm/Red", "new": "Crimson"})
    assert (moved.status_code, moved.json()["products"]) == (200, 2)
    assert client.post("/v1/categorize", json={"product": red}).json()["path"] == "Crimson"
    assert client.get("/v1/products/p1").json()["category"] == "Crimson"
    assert client.get(f"/v1/reviews/{review}").json()["decided"] == "Crimson/Dark"
    assert ask(client)["path"] == "Crimson/Dark"
    tree = {one["path"]: one for one in client.get("/v1/categories").json()["categories"]}
    assert tree["Crimson"]["is_class"]
    assert [one["path"] for one in tree["Warm"]["children"]] == ["Warm/Yellow"]
    again = client.post("/v1/categories:move", json={"old": "Warm/Red", "new": "Crimson"})
    assert (again.status_code, again.json()["products"]) == (200, 0)
    wrong = client.post("/v1/categories:move", json={"old": "A", "new": "A/B"})
    assert (wrong.status_code, wrong.json()["where"]) == (422, "new")
    # What only the model knows can be moved on, by the name that it has now.
    for old, new in (("Warm/Yellow", "Gold"), ("Gold", "Brass")):
        assert client.post("/v1/categories:move", json={"old": old, "new": new}).status_code == 200
    misspelt = client.post("/v1/categories:move", json={"old": "Crimsen", "new": "Red"})
    assert (misspelt.status_code, misspelt.json()["type"]) == (404, "unknown-category")
    assert misspelt.json()["fix"] == "Did you mean Crimson or Crimson/Dark?"
