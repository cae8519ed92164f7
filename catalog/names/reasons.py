"""Why two names are alike or not, in short sentences for a person."""

from collections.abc import Collection, Sequence

from catalog.names.form import Name, found_codes, stem
from catalog.names.quantities import Quantity


def reasons(left: Name, right: Name) -> tuple[str, ...]:
    """The weightiest first: amounts, model codes, words in common, words of one side."""
    found = _quantity_reasons(left.quantities, right.quantities)
    same = found_codes(left.codes, right) or found_codes(right.codes, left)
    if same:
        found.append(f"same model code: {_listed(same)}")
    elif left.codes and right.codes:
        found.append(f"different model code: {_listed(left.codes)} against {_listed(right.codes)}")
    of_left = {stem(word): word for word in left.words if word not in left.codes}
    of_right = {stem(word): word for word in right.words if word not in right.codes}
    for what, words in (
        ("words in common", [word for key, word in of_left.items() if key in of_right]),
        ("only on the left", [word for key, word in of_left.items() if key not in of_right]),
        ("only on the right", [word for key, word in of_right.items() if key not in of_left]),
    ):
        if words:
            found.append(f"{what}: {_listed(words)}")
    return tuple(found)


def _quantity_reasons(left: Sequence[Quantity], right: Sequence[Quantity]) -> list[str]:
    reasons = []
    for kind in dict.fromkeys(quantity.kind for quantity in left):
        of_left = [quantity for quantity in left if quantity.kind == kind]
        of_right = [quantity for quantity in right if quantity.kind == kind]
        same = [str(a) for a in of_left if any(a.agrees(b) for b in of_right)]
        if same:
            reasons.append(f"same quantity: {_listed(same)}")
        elif of_right:
            sides = (_listed([str(q) for q in side]) for side in (of_left, of_right))
            reasons.append(f"different quantity: {' against '.join(sides)}")
    return reasons


def _listed(words: Collection[str], most: int = 8) -> str:
    shown = ", ".join(list(words)[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"
