"""Wall-time budgets: reading them, and how many epochs fit."""

import re

from catalog.errors import InvalidRequest

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
# Left for the last evaluation, the embedding and the report.
_RESERVE = 0.06


def parse_budget(text: str) -> float:
    """Seconds of a budget such as ``25m``, ``1h30m`` or ``90s``.

    Raises:
        InvalidRequest: not such a text.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise InvalidRequest(
            f"{text!r} is no time span.", where="--budget", fix="Write it as 25m, 90s or 1h30m."
        )
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def epochs_that_fit(
    budget: float | None,
    elapsed: float,
    done: int,
    seconds_per_epoch: float,
    at_most: int,
    afterwards: float = 0.0,
) -> int:
    """Total epochs, done ones included and at least one, so that the run ends within its budget.

    Args:
        budget: seconds for the whole run, or None.
        elapsed: seconds used so far.
        done: epochs finished.
        seconds_per_epoch: as measured.
        at_most: the configured number.
        afterwards: what must be left for the steps after the last epoch, in epochs.
    """
    if budget is None:
        return at_most
    left = budget * (1 - _RESERVE) - elapsed - afterwards * seconds_per_epoch
    return max(done, 1, min(at_most, done + int(left / seconds_per_epoch)))
