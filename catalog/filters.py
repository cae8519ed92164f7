"""Which products a search may answer: conditions on category and attributes as Lance predicates.

Attributes are any columns of a shop, so a row keeps them as one list of ``key=value`` entries
that `array_has_any` can filter on. In an entry's key ``%`` and ``=`` are percent-encoded, so the
first ``=`` always ends the key.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from catalog.errors import InvalidRequest
from catalog.product import check_unicode
from catalog.tree import normalise_path

# Each adds to the depth of a predicate, and Lance's own parser dies of some thousands.
MOST_VALUES = 200

Filter = Mapping[str, str | Sequence[str]]
"""All of its conditions must hold; of a list of values, one must.

``category`` takes paths and matches everything at or below them; any other key is an attribute
and matches equal values.
"""


def predicate(where: Filter | None) -> str | None:
    """The filter as a SQL predicate over the columns ``category`` and ``attributes``.

    Values only ever become string literals, with their quotes doubled.

    Returns:
        The predicate, or None for a filter that lets everything through.

    Raises:
        InvalidRequest: a value is neither a text nor a list of texts, or there are too many.
    """
    if not where:
        return None
    conditions = []
    count = 0
    for key, value in where.items():
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, Sequence) or not all(isinstance(one, str) for one in values):
            raise InvalidRequest(
                "A filter takes a text or a list of texts.",
                where=f"filter {key!r}",
                fix='For example {"category": "Apparel", "brand": ["Nike", "Puma"]}.',
            )
        count += max(1, len(values))
        if count > MOST_VALUES:
            raise InvalidRequest(
                f"A filter takes up to {MOST_VALUES} values.",
                where="filter",
                fix="Name a category above them, or ask several times.",
            )
        conditions.append(_one_of(key, values))
    return " AND ".join(conditions)


def equals(column: str, values: Sequence[str]) -> str:
    """Predicate: the column, a name of our own, holds one of the values."""
    if not values:
        return "false"
    return f"{column} IN ({', '.join(map(_literal, values))})"


def below(column: str, path: str) -> str:
    """Predicate: the column, a name of our own, holds the path or one below it."""
    return f"({column} = {_literal(path)} OR starts_with({column}, {_literal(path + '/')}))"


def moved_sql(column: str, old: str, new: str) -> str:
    """Expression: the column's path, which begins with ``old``, beginning with ``new`` instead."""
    return f"concat({_literal(new)}, substr({column}, {len(old) + 1}))"


def pack(attributes: Mapping[str, str]) -> list[str]:
    """Attributes as the entries a row keeps."""
    return [_entry(key, value) for key, value in attributes.items()]


def unpack(entries: Sequence[str]) -> dict[str, str]:
    """The attributes that were packed."""
    pairs = (entry.partition("=") for entry in entries)
    return {unquote(key): value for key, _, value in pairs}


def _one_of(key: str, values: Sequence[str]) -> str:
    if not values:
        return "false"
    if key == "category":
        return "(" + " OR ".join(_at_or_below(normalise_path(path)) for path in values) + ")"
    entries = ", ".join(_literal(_entry(key, value)) for value in values)
    return f"array_has_any(attributes, [{entries}])"


def _at_or_below(path: str) -> str:
    return below("category", path) if path else "category IS NOT NULL"


def _entry(key: str, value: str) -> str:
    return key.replace("%", "%25").replace("=", "%3D") + "=" + value


def _literal(text: str) -> str:
    return "'" + check_unicode(text, "filter").replace("'", "''") + "'"
