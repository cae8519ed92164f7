"""How often a key may call, written as 100/second, 5000/hour, ..."""

from typing import Annotated

import limits
from pydantic import AfterValidator


def parse_rate(rate: str) -> limits.RateLimitItem:
    """The one limit that the text names.

    Raises:
        ValueError: it names none, or several.
    """
    found = limits.parse_many(rate)
    if len(found) != 1 or found[0].multiples < 1 or found[0].amount < 1:
        raise ValueError(f"{rate!r} is not one rate, such as 100/second")
    return found[0]


def _checked(rate: str) -> str:
    parse_rate(rate)
    return rate


Rate = Annotated[str, AfterValidator(_checked)]
