import pytest

from catalog.errors import InvalidRequest
from train.budget import epochs_that_fit, parse_budget


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("25m", 1500), ("1h30m", 5400), ("0.5h", 1800)]
)
def test_a_budget_is_read_in_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "25", "m", "25 minutes", "-5m", "1d"])
def test_what_is_no_time_span_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest, match="budget"):
        parse_budget(text)


def test_without_a_budget_all_epochs_are_planned() -> None:
    assert epochs_that_fit(None, 1e9, 3, 100.0, 14) == 14


def test_the_plan_shrinks_to_what_fits_and_ends_when_nothing_does() -> None:
    assert epochs_that_fit(1000.0, 300.0, 3, 100.0, 14) == 9
    assert epochs_that_fit(1000.0, 1200.0, 3, 100.0, 14) == 3


def test_the_plan_leaves_time_for_what_comes_afterwards() -> None:
    assert epochs_that_fit(1000.0, 300.0, 3, 100.0, 14, afterwards=1.5) == 7


def test_one_epoch_is_always_trained() -> None:
    assert epochs_that_fit(10.0, 1000.0, 0, 100.0, 14) == 1
