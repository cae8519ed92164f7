"""How often answers that no person looks at must be right."""

from typing import Final

from catalog.errors import InvalidRequest

TARGET_PRECISION: Final = 0.95
"""Where nobody asks for another."""


def check_precision(precision: float, where: str) -> float:
    """The precision itself, if answers can be asked for it.

    Raises:
        InvalidRequest: it is not between 0.5 and 1.
    """
    if not 0.5 <= precision < 1:
        raise InvalidRequest(
            f"it is {precision}.", where=where, fix="Give a share from 0.5 to below 1, as 0.98."
        )
    return precision
