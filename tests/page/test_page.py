"""A catalog person's walk through the web page, in a real browser."""

import base64
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from serve.access.keys import create_key
from serve.settings import read_settings
from tests.colours import COLOURS, colour_photo
from tests.page.conftest import PHONE
from tests.serve.conftest import Running, empty_catalog, running

pytestmark = pytest.mark.e2e
VIEWS = ("classify", "compare", "catalog", "review", "model")


def photo(directory: Path, path: str, seed: int = 50) -> Path:
    file = directory / f"{path.rpartition('/')[2].lower()}-{seed}.jpg"
    file.write_bytes(colour_photo(path, seed=seed))
    return file


def fill(page: Page, view: str, directory: Path) -> None:
    """Have a view show all that it can show."""
    if view == "classify":
        bad = directory / "bad.jpg"
        bad.write_bytes(b"no photo")
        page.get_by_label("Drop photos here").set_input_files([photo(directory, "Warm/Red"), bad])
        expect(page.get_by_role("status")).to_contain_text("2 of 2 answered")
        page.get_by_role("button", name="Why red").click()
        expect(page.locator(".why")).to_be_visible()
    elif view == "compare":
        for title in ("One product", "The other"):
            page.get_by_role("group", name=title).get_by_label("Name").fill("cola 500 ml")
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.locator(".result")).to_be_visible()
    elif view == "catalog":
        expect(page.locator(".product img")).to_have_count(12)
    elif view == "review":
        body = {"product": {"name": "mystery"}, "id": "m"}
        page.request.post("/v1/categorize", data=body)
        page.reload()
        expect(page.locator(".reviewing")).to_be_visible()
    else:
        expect(page.locator(".tree").first).to_be_visible()


def test_three_photos_are_dropped_and_each_is_answered_and_explained(
    page: Page, tmp_path: Path
) -> None:
    page.goto("/")
    paths = list(COLOURS)[:3]
    page.get_by_label("Drop photos here").set_input_files([photo(tmp_path, one) for one in paths])
    expect(page.get_by_role("status")).to_contain_text("3 of 3 answered")
    for path in paths:
        leaf = path.rpartition("/")[2]
        card = page.locator(".card").filter(has_text=f"{leaf.lower()}-50.jpg")
        expect(card.locator(".bars tr").first).to_contain_text(leaf)
    card = page.locator(".card").first
    card.get_by_role("button", name="Why").click()
    expect(card.get_by_alt_text("The photo, bright where it mattered")).to_be_visible()
    expect(card.locator(".why figure")).to_have_count(6)


def test_a_file_that_is_no_photo_says_what_is_wrong_beside_those_that_are(
    page: Page, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a photo")
    page.goto("/")
    good = photo(tmp_path, "Warm/Red")
    page.get_by_label("Drop photos here").set_input_files([bad, good])
    expect(page.get_by_role("status")).to_contain_text("2 of 2 answered")
    expect(page.get_by_role("alert")).to_contain_text("Not a readable photo")
    expect(page.locator(".bars tr").first).to_contain_text("Red")


def test_a_photo_is_pasted(page: Page) -> None:
    page.goto("/")
    page.evaluate(
        """async (bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "clip.jpg", {type: "image/jpeg"}));
            const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true});
            document.dispatchEvent(event);
        }""",
        list(colour_photo("Cool/Blue")),
    )
    expect(page.locator(".bars tr").first).to_contain_text("Blue")


def test_two_products_are_compared_with_the_parts_of_the_score(page: Page, tmp_path: Path) -> None:
    page.goto("/#compare")
    sides = (("One product", "Cola 0.5 L", 50), ("The other", "cola 500ml", 51))
    for title, name, seed in sides:
        side = page.get_by_role("group", name=title)
        side.get_by_label("Name").fill(name)
        side.locator("input[type=file]").set_input_files(photo(tmp_path, "Warm/Red", seed))
    page.get_by_role("button", name="Compare", exact=True).click()
    result = page.locator(".result")
    expect(result).to_contain_text("the same product")
    expect(result.locator(".bars tr")).to_have_count(3)


def test_the_catalog_is_searched_by_words_by_photo_and_within_a_category(
    page: Page, tmp_path: Path
) -> None:
    page.goto("/#catalog")
    expect(page.locator(".product")).to_have_count(12)
    expect(page.locator(".product img").first).to_be_visible()
    page.get_by_label("Words").fill("blue cloth 1")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".product").first).to_contain_text("blue cloth 1")
    page.get_by_label("Words").fill("")
    page.get_by_label("Search by a photo").set_input_files(photo(tmp_path, "Warm/Red"))
    expect(page.locator(".product").first).to_contain_text("red cloth")
    page.get_by_role("button", name="Without the photo").click()
    page.get_by_label("In category").fill("Cool")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".product")).to_have_count(6)


def test_a_product_is_placed_added_found_and_removed(page: Page, tmp_path: Path) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/#catalog")
    expect(page.locator(".product")).to_have_count(12)
    add = page.locator(".add")
    add.get_by_label("Id").fill("new/1")
    add.get_by_label("Name").fill("Scarlet shawl")
    add.get_by_label("Its photo").set_input_files(photo(tmp_path, "Warm/Red"))
    add.get_by_role("button", name="Where does it belong?").click()
    expect(add.get_by_label("Category")).to_have_value("Warm/Red")
    add.get_by_role("button", name="Add", exact=True).click()
    expect(add.get_by_role("status")).to_contain_text("is in the catalog")
    page.get_by_label("Words").fill("scarlet")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".product")).to_have_count(1)
    page.get_by_role("button", name="Remove Scarlet shawl").click()
    expect(page.locator(".product")).to_have_count(0)


def test_reviews_are_accepted_corrected_and_undone_by_keyboard(page: Page, shop: Running) -> None:
    with httpx.Client(base_url=shop.url, trust_env=False, timeout=30) as http:
        for number in range(3):
            body = {"product": {"name": f"mystery {number}"}, "id": f"m{number}"}
            assert http.post("/v1/categorize", json=body).json()["decision"] != "auto"

        def filed(product: str) -> object:
            found = http.get(f"/v1/products/{product}")
            return found.json()["category"] if found.is_success else None

        page.goto("/#review")
        status = page.get_by_role("status")
        expect(status).to_contain_text("3 answers wait")
        expect(page.locator(".reviewing h2")).to_contain_text("mystery 0")
        page.keyboard.press("c")
        page.keyboard.type("Cool/Green")
        page.keyboard.press("Enter")
        expect(status).to_contain_text("2 answers wait")
        assert filed("m0") == "Cool/Green"
        expect(page.locator(".reviewing h2")).to_contain_text("mystery 1")
        page.keyboard.press("u")
        expect(status).to_contain_text("3 answers wait")
        assert filed("m0") is None
        heading = page.locator(".reviewing h2")
        expect(heading).to_contain_text("mystery 0")
        page.keyboard.press("j")
        expect(heading).to_contain_text("mystery 1")
        page.keyboard.press("k")
        expect(heading).to_contain_text("mystery 0")

        page.get_by_label("single keys decide").uncheck()
        page.get_by_label("single keys decide").blur()
        page.keyboard.press("c")
        page.keyboard.press("j")
        expect(heading).to_contain_text("mystery 0")
        page.get_by_label("single keys decide").check()


def test_photos_that_wait_are_accepted_and_put_elsewhere_by_one_key(
    page: Page, shop: Running
) -> None:
    with httpx.Client(base_url=shop.url, trust_env=False, timeout=30) as http:
        for number, path in enumerate(("Warm/Red", "Cool/Blue")):
            image = base64.b64encode(colour_photo(path, seed=90 + number)).decode()
            body = {"product": {"image": image}, "id": f"w{number}"}
            placed = http.post("/v1/categorize?precision=0.9999", json=body).json()
            assert placed["decision"] == "review"
            assert placed["path"] == path
        page.goto("/#review")
        status = page.get_by_role("status")
        expect(status).to_contain_text("2 answers wait")
        expect(page.locator(".reviewing img")).to_be_visible()
        page.keyboard.press("a")
        expect(status).to_contain_text("1 answer waits")
        assert http.get("/v1/products/w0").json()["category"] == "Warm/Red"
        other = page.locator(".alternatives li").first.inner_text()
        page.keyboard.press("1")
        expect(status).to_contain_text("0 answers wait")
        assert http.get("/v1/products/w1").json()["category"].rpartition("/")[2] in other
        page.keyboard.press("u")
        expect(status).to_contain_text("1 answer waits")
        page.keyboard.press("u")
        expect(status).to_contain_text("2 answers wait")
        assert http.get("/v1/products/w0").status_code == 404


def test_what_waits_no_more_is_told_and_leaves_the_list(page: Page, shop: Running) -> None:
    with httpx.Client(base_url=shop.url, trust_env=False, timeout=30) as http:
        reviews = [
            http.post(
                "/v1/categorize", json={"product": {"name": f"mystery {n}"}, "id": f"x{n}"}
            ).json()["review"]
            for n in range(2)
        ]
        page.goto("/#review")
        expect(page.get_by_role("status")).to_contain_text("2 answers wait")
        first = page.locator(".reviewing h2").inner_text()
        mine = reviews[int(first[-1])]
        decided = http.post(f"/v1/reviews/{mine}:correct", json={"path": "Other/One"})
        assert decided.is_success
        page.get_by_label("Another category").fill("Other/Two")
        page.get_by_role("button", name="Correct", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator(".reviewing h2")).not_to_contain_text(first)


def test_the_model_page_says_how_far_to_trust_it(page: Page) -> None:
    page.goto("/#model")
    expect(page.locator(".facts")).to_contain_text("Products in the catalog")
    expect(page.locator(".tree").first).to_contain_text("Warm")
    page.get_by_role("button", name="Show the report").click()
    expect(page.get_by_role("alert")).to_contain_text("no report")  # this bundle was not trained


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    context: BrowserContext, view: str, scheme: str, tmp_path: Path
) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"/#{view}")
    fill(page, view, tmp_path)
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []


def test_on_a_phone_nothing_is_wider_than_the_screen(
    context: BrowserContext, tmp_path: Path
) -> None:
    page = context.new_page()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for view in VIEWS:
        page.goto(f"/#{view}")
        expect(page.get_by_role("heading", level=1)).to_have_text(view.capitalize())
        fill(page, view, tmp_path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view


def test_a_server_that_asks_for_a_key_gets_it_for_this_session_alone(
    context: BrowserContext, tiny_bundle: Path, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    key = create_key(file, "person", "write")
    settings = read_settings(api_keys=str(file))
    with running(tiny_bundle, empty_catalog(tiny_bundle, tmp_path / "own"), settings) as server:
        page = context.new_page()
        page.goto(f"{server.url}/#model")
        expect(page.get_by_role("alert")).to_contain_text("an API key is needed")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Use").click()
        expect(page.locator(".facts")).to_contain_text("Version")
        other = context.new_page()
        other.goto(f"{server.url}/#model")
        expect(other.get_by_role("alert")).to_contain_text("an API key is needed")
        assert key not in str(context.cookies())
        assert other.evaluate("localStorage.length") == 0
