import json

from catalog.names import normalise
from catalog.names.words import NO_STATISTICS, WordStatistics, looks

SHOP = WordStatistics.of(
    normalise(name)
    for number in range(400)
    for name in (f"Acme bike {number}", f"Acme truck{' red' if number % 8 == 0 else ''}")
)


def test_a_word_in_every_name_tells_less_than_one_in_few() -> None:
    assert SHOP.weight("acme") < SHOP.weight("bike") < SHOP.weight("red") < SHOP.weight("tandem")


def test_an_amount_in_every_name_tells_little() -> None:
    shop = WordStatistics.of(normalise(f"cola {number} 500ml") for number in range(400))
    assert shop.weight("0.5l") < 1


def test_without_names_a_word_is_weighed_by_its_looks() -> None:
    for word in ("with", "ab", "bicycle", "70d"):
        assert abs(NO_STATISTICS.weight(word) - 4 * looks(word)) < 1e-9


def test_no_word_tells_more_than_the_most_however_many_names() -> None:
    assert WordStatistics(10_000_000).weight("70d") == 8.0


def test_statistics_come_back_from_json_as_they_were() -> None:
    assert WordStatistics.from_json(json.loads(json.dumps(SHOP.to_json()))) == SHOP
