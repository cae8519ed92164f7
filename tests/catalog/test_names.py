"""Names: one normal form for every spelling, and reasons a person can check."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import InvalidRequest
from catalog.names import DEFAULT_NAME_MODEL, NameModel, normalise
from catalog.names.common import name_pair, profile
from catalog.names.quantities import Quantity
from catalog.names.words import NO_STATISTICS

compare = DEFAULT_NAME_MODEL.compare

AMOUNTS = ["2", "330", "0.5", ".5", "1,5", "1/2", "½", "10", "1.5kg", "5g", "6-pack", "pack of 6"]
UNITS = ["ml", "L", "kg", "cm", "MB", "MB/s", "inch", "%", "x", "×", "2x", "-x 3", "of"]
OTHERS = ["Nike", "t-shirt", "dcs-855l", "w/", "é", "(", "'", "-", "/"]
NAMES = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="0123456789 xX*.,-/lmkgc\"'%", max_size=40),
    st.lists(
        st.sampled_from([*AMOUNTS, *UNITS, *OTHERS]),
        max_size=12,
    ).map(" ".join),
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("500ml", "0.5 L"),
        ("2 x 330 ml", "660 ml"),
        ("330ml x 2", "66 cl"),
        ("6x1.5L", "9 litres"),
        ("0,33 l", "330 ml"),
        ("½ kg", "500 grams"),
        ("1 1/2 inch", '1.5"'),
        ("10 x 20 cm", "10cm × 20cm"),
        ("2 x 8 GB", "16GB"),
        ("1,500 ml", "1.5 l"),
        ("6-pack", "pack of 6"),
        ("2 х 330 мл", "0.66l"),
        ("५०० ml", "500 ml"),
        ("Café CRÈME", "cafe creme"),
        ("Fußball-Schuh", "fussball schuh"),
        ("MAURİCE", "Maurice"),
        ("Nike™ Men's", "nike mens"),
    ],
)
def test_two_spellings_of_one_thing_are_one_name(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert compare(one, other).similarity == 1.0


@pytest.mark.parametrize(
    ("name", "quantities"),
    [
        ("Cola 6 x 330 ml", [Quantity("volume", 1.98)]),
        ("Cola 330 ml pack of 6", [Quantity("volume", 1.98)]),
        ("LED bulb 2 x 60W", [Quantity("power", 60.0), Quantity("count", 2.0)]),
        ("16 fl oz", [Quantity("volume", 0.473176)]),
        ("MX-5 m", []),
        ("5G phone", []),
        ("iPhone 5 in black", []),
        ("2-in-1 laptop", []),
        ("D-Link DCS-855L", []),
        ("Xbox 360 w/ Kinect", []),
        ("1/0 l", []),
    ],
)
def test_amounts_are_told_from_what_only_looks_like_one(
    name: str, quantities: list[Quantity]
) -> None:
    assert list(normalise(name).quantities) == quantities


def test_other_scripts_keep_the_marks_they_spell_with() -> None:
    assert normalise("नमस्ते").words == ("नमस्ते",)
    assert normalise("Зубная паста 75 мл").text == "зубная паста 0.075l"


def test_model_codes_are_found_and_resolutions_are_not() -> None:
    name = normalise("Sony KDL-40W605B 1080p 1920x1080 TV 2nd gen 819716")
    assert name.codes == ("kdl-40w605b", "819716")


@given(NAMES)
def test_normalising_twice_changes_nothing(name: str) -> None:
    once = normalise(name)
    assert normalise(once.text) == once


@given(
    st.integers(1, 9999), st.sampled_from([("ml", "cl", 10), ("g", "kg", 1000), ("mm", "cm", 10)])
)
def test_an_amount_is_equal_in_every_unit(amount: int, units: tuple[str, str, int]) -> None:
    small, large, ratio = units
    assert normalise(f"{amount} {small}") == normalise(f"{amount / ratio:.6f}{large.upper()}")


@given(st.integers(1, 24), st.integers(1, 2000))
def test_a_multipack_is_its_total(count: int, amount: int) -> None:
    assert normalise(f"{count} x {amount} ml") == normalise(f"{count * amount}ml")


@given(NAMES, NAMES)
def test_comparing_is_symmetric_and_between_0_and_1(left: str, right: str) -> None:
    one, other = compare(left, right), compare(right, left)
    assert one.similarity == other.similarity
    assert one.features == other.features
    assert one.similarity is None or 0.0 <= one.similarity <= 1.0


@given(NAMES.filter(lambda name: normalise(name).text != ""))
def test_a_name_is_wholly_like_itself(name: str) -> None:
    assert compare(name, normalise(name)).similarity == 1.0


@pytest.mark.parametrize("name", ["", "  ", "🎉🎉", "!!!", "\ud800", "\x00"])
def test_a_name_without_words_is_like_nothing(name: str) -> None:
    assert compare(name, name).similarity is None
    assert compare(name, "Nike").similarity is None
    assert compare(name, "Nike").reasons == ("no words to compare",)


@pytest.mark.parametrize("name", ["9" * 10_000, "1 x " * 2_500, "é½ﷺ" * 3_000, '1/2" x-' * 2_000])
def test_a_very_long_name_is_cut_and_stays_cheap(name: str) -> None:
    started = time.perf_counter()
    assert len(normalise(name).text) <= 512
    assert time.perf_counter() - started < 0.5


def test_amounts_that_conflict_pull_the_similarity_well_down() -> None:
    same = compare("Coca Cola Zero can 0.33 l", "Coca-Cola Zero 330ml")
    conflict = compare("Coca Cola Zero can 0.33 l", "Coca-Cola Zero 0.5 l")
    assert same.similarity > 0.75
    assert conflict.similarity < 0.3
    assert (same.features.quantities, conflict.features.quantities) == (1, -1)


def test_a_model_code_is_found_without_its_separators() -> None:
    assert compare("D-Link DCS-855L", "D-Link DCS 855 L camera").features.codes_shared == 1
    assert compare("D-Link DCS-855L", "D-Link DCS-2332L").similarity < 0.1


def test_reasons_say_what_is_equal_and_what_is_not() -> None:
    assert compare("Nike Air DCS-855L 0.33 l", "Nike Air Kids DCS-2332L 0.5L").reasons == (
        "different quantity: 0.33 l against 0.5 l",
        "different model code: dcs-855l against dcs-2332l",
        "words in common: nike, air",
        "only on the right: kids",
    )
    assert compare("Cola 500ml", "Cola Zero 0.5 L").reasons[0] == "same quantity: 0.5 l"


def test_a_plural_is_the_same_word() -> None:
    assert compare("blue skirt", "blue skirts").features.covered_least == 1.0


def test_a_word_within_another_word_is_not_the_same_word() -> None:
    apart = name_pair(
        *(profile(normalise(name), NO_STATISTICS) for name in ("men shoe", "women shoe"))
    )
    assert set(apart.apart) == {"men", "women"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("black berry phone", "blackberry phone"),
        ("DCS 855 L", "dcs-855l"),
        ("lds4821 oven", "LDS4821WW oven"),
    ],
)
def test_words_written_joined_apart_or_within_a_code_are_held(left: str, right: str) -> None:
    one, other = (profile(normalise(name), NO_STATISTICS) for name in (left, right))
    assert name_pair(one, other).features.covered_most == 1.0


def test_a_model_reads_back_from_json_and_nonsense_is_refused() -> None:
    data = json.loads(json.dumps(DEFAULT_NAME_MODEL.to_json()))
    assert NameModel.from_json(data) == DEFAULT_NAME_MODEL
    for wrong in (
        {"bias": "x"},
        {"bias": float("nan")},
        {"features": []},
        {"shared": [1]},
        {"statistics": {}},
    ):
        with pytest.raises(InvalidRequest):
            NameModel.from_json({**data, **wrong})
