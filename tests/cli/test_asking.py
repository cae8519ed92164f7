import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from catalens import client
from catalens.cli.app import main
from tests.colours import COLOURS, colour_photo


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """One photo of each colour, in the order of the classes."""
    made = []
    for category in COLOURS:
        made.append(tmp_path / f"{category.rpartition('/')[2]}.jpg")
        made[-1].write_bytes(colour_photo(category))
    return made


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def answered(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]
) -> None:
    """Let a function stand for every server."""
    made = client.Client.__init__
    monkeypatch.setattr(
        client.Client,
        "__init__",
        lambda self, url, key: made(self, url, key=key, transport=httpx.MockTransport(answer)),
    )


def test_classify_prints_a_table_of_categories_and_probabilities(
    tiny_bundle: Path, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("classify", tiny_bundle, *photos, "--top-k", 2) == 0
    shown = capsys.readouterr().out
    assert shown.count("category") == shown.count("probability") == 4
    for photo, category in zip(photos, COLOURS, strict=True):
        _, part = shown.split(str(photo))
        first_row = next(line for line in part.splitlines() if line.startswith("│"))
        assert first_row.split()[1] == category
        assert 0.5 < float(first_row.split()[3]) <= 1


def test_classify_prints_json_for_a_script(
    tiny_bundle: Path, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("classify", tiny_bundle, *photos, "--json", "--level", 1) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [result["answer"]["path"] for result in answer["results"]] == [
        "Cool", "Cool", "Warm", "Warm",
    ]  # fmt: skip
    assert [result["photo"] for result in answer["results"]] == list(map(str, photos))
    assert len(answer["model"]) == 16


def test_an_explanation_is_a_picture_in_a_file_and_the_training_photos_by_name(
    tiny_bundle: Path,
    photos: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("classify", tiny_bundle, photos[0], "--explain") == 0
    shown = capsys.readouterr().out
    picture = Path(f"{photos[0].stem}-explained.jpg")
    assert str(picture) in shown
    assert shown.count(f"{next(iter(COLOURS))}-") >= 3  # of its four in the bundle
    with Image.open(picture) as strip:
        assert strip.width > 5 * strip.height


def test_an_unreadable_photo_does_not_stop_the_others(
    tiny_bundle: Path, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photos[1].write_bytes(b"no photo")
    assert run("classify", tiny_bundle, *photos[:3], "--json") == 1
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)["results"]) == 2
    assert shown.err.startswith(f"{photos[1]}: not a readable photo")


def test_a_level_that_is_not_there_is_refused(
    tiny_bundle: Path, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("classify", tiny_bundle, photos[0], "--level", 7) == 1
    assert "levels 1 to 2" in capsys.readouterr().err


def test_compare_says_same_or_different_and_why(
    tiny_bundle: Path, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("--left-name", "Oat milk 1 l", "--right-name", "oat milk 1000ml [new]")
    assert run("compare", tiny_bundle, *names) == 0
    assert "same quantity: 1" in capsys.readouterr().out
    both = ("--left-photo", photos[0], "--right-photo", photos[0], "--json")
    assert run("compare", tiny_bundle, *both) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["decision"] == "same"
    assert answer["image_similarity"] == pytest.approx(1.0, abs=1e-5)
    assert answer["name_similarity"] is None


def test_compare_needs_two_sides(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", tiny_bundle, "--left-name", "x") == 1
    assert "Give each side" in capsys.readouterr().err


def test_import_evaluate_and_categorize_work_on_a_folder_of_photos(
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for category in COLOURS:
        (tmp_path / "shop" / category).mkdir(parents=True)
        for seed in range(3):
            photo = tmp_path / "shop" / category / f"{seed}.jpg"
            photo.write_bytes(colour_photo(category, seed))
    assert run("import", tiny_bundle, "shop", "shop-catalog") == 0
    assert "12 products with 12 photos" in capsys.readouterr().out

    assert run("evaluate", tiny_bundle, "shop", "--json", "out.json") == 0
    assert json.loads(Path("out.json").read_text())["top1"] == 1.0
    assert "top1" in capsys.readouterr().out

    red = "shop/Warm/Red/0.jpg"
    asked = ("categorize", tiny_bundle, "--catalog", "shop-catalog", "--photo", red)
    assert run(*asked, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["path"] == "Warm/Red"
    assert answer["evidence"][0]["path"] == "Warm/Red"
    assert run(*asked) == 0
    assert "Warm/Red" in capsys.readouterr().out


def test_rows_that_are_skipped_are_said_and_listed_beside_the_catalog(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "1.jpg").write_bytes(colour_photo("Warm/Red"))
    (tmp_path / "A" / "2.jpg").write_bytes(b"no photo")
    catalog = tmp_path / "catalog"
    assert run("import", tiny_bundle, tmp_path, catalog) == 1
    assert "1 of 2 rows are bad" in capsys.readouterr().err
    assert run("import", tiny_bundle, tmp_path / "A" / "..", catalog, "--max-bad", 0.5) == 0
    assert "1 row was skipped; " in capsys.readouterr().err
    assert (tmp_path / "catalog.bad_rows.csv").read_text().count("2.jpg") == 1


def test_evaluate_names_what_it_skipped_and_its_figures(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, category in enumerate(COLOURS):
        (tmp_path / "shop" / category).mkdir(parents=True)
        encoded = colour_photo(category) if number else b"no photo"
        (tmp_path / "shop" / category / "1.jpg").write_bytes(encoded)
    listed = tmp_path / "bad.csv"
    flags = ("--max-bad", 0.5, "--bad-rows", listed)
    assert run("evaluate", tiny_bundle, tmp_path / "shop", *flags) == 0
    shown = capsys.readouterr()
    assert f"1 row was skipped; {listed} lists it." in shown.err
    assert "top1 at depth 1" in shown.out


def test_a_photo_that_is_not_there_or_a_folder_is_told_once(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("classify", tiny_bundle, tmp_path / "nope.jpg") == 1
    assert capsys.readouterr().err == f"{tmp_path / 'nope.jpg'}: no such file.\n"
    assert run("classify", tiny_bundle, tmp_path) == 1
    said = f"{tmp_path}: it is a folder. Name its photos, such as {tmp_path}/*.jpg.\n"
    assert capsys.readouterr().err == said


def test_brackets_in_names_and_categories_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, name = "Hardware/Screws [m8]", "Cable red [/m]"
    shares = {"image_similarity": None, "name_similarity": None, "score": 1.0}
    found = {
        "path": path,
        "score": 1.0,
        "decision": "auto",
        "alternatives": [{"path": path, "probability": 1.0}],
        "evidence": [{"id": "1", "name": name, "path": path, **shares}],
    }
    answered(monkeypatch, lambda _: httpx.Response(200, json=found))
    assert run("categorize", "http://shop.test", "--name", "x") == 0
    shown = capsys.readouterr().out
    assert shown.count(path) == 3
    assert name in shown


def test_categorize_needs_a_photo_or_a_name(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("categorize", tiny_bundle) == 1
    assert "neither a photo nor a name" in capsys.readouterr().err


def test_a_url_is_asked_over_http(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/classify":
            problem = {"type": "catalog-missing", "detail": "no catalog.", "fix": "Name one."}
            return httpx.Response(409, json=problem)
        shares = [{"path": "Warm/Red", "probability": 0.91}]
        result = {"answer": {**shares[0], "decision": "auto"}, "categories": shares}
        return httpx.Response(200, json={"model": "m", "results": [result]})

    answered(monkeypatch, answer)
    assert run("classify", "http://shop.test", photos[2]) == 0
    assert "Warm/Red" in capsys.readouterr().out
    assert run("categorize", "http://shop.test", "--name", "x") == 1
    assert capsys.readouterr().err == "http://shop.test: no catalog. Name one.\n"


def test_a_server_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("categorize", "http://127.0.0.1:9", "--name", "x") == 1
    assert "http://127.0.0.1:9: the server did not answer" in capsys.readouterr().err


def test_a_server_has_its_own_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("categorize", "http://127.0.0.1:9", "--name", "x", "--catalog", "c") == 1
    assert "--catalog" in capsys.readouterr().err
