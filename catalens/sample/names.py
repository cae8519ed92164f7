"""Product names: what the shop writes, and what its suppliers write for the same product."""

import unicodedata
from dataclasses import dataclass, replace

import numpy as np

from catalens.sample.tree import BRANDS, LINES, Category, Size

# How a unit may be written: a pattern, and what the amount is multiplied by; the shop's way first.
_UNITS: dict[str, tuple[tuple[str, float], ...]] = {
    "ml": (("{} ml", 1), ("{}ml", 1), ("{} L", 0.001), ("{}l", 0.001), ("{} cl", 0.1)),
    "L": (("{} L", 1), ("{}L", 1), ("{} litre", 1), ("{} ltr", 1)),
    "g": (("{} g", 1), ("{}g", 1), ("{} kg", 0.001), ("{} gr", 1)),
    "t": (("{} t", 1), ("{}t", 1), ("{} kg", 1000), ("{} tonnes", 1)),
    "cm": (("{} cm", 1), ("{}cm", 1), ("{} mm", 10)),
    "mm": (("{} mm", 1), ("{}mm", 1), ("{} cm", 0.1)),
    "in": (('{}"', 1), ("{} inch", 1), ("{} in", 1), ("{}-inch", 1)),
    "W": (("{} W", 1), ("{}W", 1), ("{} watt", 1)),
    "EU": (("EU {}", 1), ("size {}", 1), ("EUR {}", 1), ("EU{}", 1)),
    "ohm": (("{} ohm", 1), ("{}ohm", 1), ("{} Ω", 1)),
}
_PACKS = ("{n} x {s}", "{n}x{s}", "{s} ({n} pack)", "{s} x {n}", "{n} pack {s}")
_SHORT = {
    "Black": "Blk",
    "White": "Wht",
    "Green": "Grn",
    "Brown": "Brn",
    "Yellow": "Yel",
    "Turquoise": "Turq.",
    "Delivery": "Deliv.",
    "Leather": "Lthr",
    "Wireless": "Wless",
    "Headphones": "Hdphones",
    "Backpack": "Bkpk",
    "Table": "Tbl",
    "Bottle": "Btl",
    "Kitchen": "Kitch.",
    "Porcelain": "Porc.",
    "Raspberry": "Raspb.",
    "Strawberry": "Strawb.",
}
_LINES_A_CATEGORY = 6
_EXTRAS = ("NEW", "original", "1 pc", "- best price", "(boxed)", "*sale*", "2026")


@dataclass(frozen=True)
class Name:
    """The parts of a product's name.

    Attributes:
        brand: who makes it.
        line: the brand's name for it, with its flavour if it has one.
        code: its model code, or nothing.
        kind: the word for the thing itself.
        colour: its colour, or nothing where a name does not tell it.
        size: pack count, amount and unit.
    """

    brand: str
    line: str
    code: str
    kind: str
    colour: str
    size: Size

    def __str__(self) -> str:
        """The name as the shop writes it."""
        parts = (self.brand, self.line, self.code, self.kind, self.colour, write_size(self.size))
        return " ".join(part for part in parts if part)


def write_size(size: Size, unit_way: int = 0, pack_way: int = 0) -> str:
    """Returns a size in words, in the given way of writing its unit and its pack count.

    The ways are counted from 0, the shop's own, and start again after the last.
    """
    count, amount, unit = size
    ways = _UNITS[unit]
    pattern, factor = ways[unit_way % len(ways)]
    words = pattern.format(f"{amount * factor:.6g}")
    return words if count == 1 else _PACKS[pack_way % len(_PACKS)].format(n=count, s=words)


def make_name(
    category: Category, rank: int, shift: int, colour: str, rng: np.random.Generator
) -> Name:
    """Returns the name of a category's product number `rank`: no other rank gets the same.

    Args:
        category: its category.
        rank: its number within the category.
        shift: where the category's names begin, so that shops and categories differ.
        colour: its main colour.
        rng: draws what need not be one of its kind.
    """
    brands = BRANDS[category.path.split("/")[0]]
    if category.code:
        # The code alone is one of its kind; a few lines shared by all brands make names alike.
        round_, place = divmod(rank, 90)
        code = f"{category.code}-{10 * (10 + 90 * round_ + (place * 37 + shift) % 90)}"
        brand = str(rng.choice(brands))
        line = LINES[(shift + int(rng.integers(_LINES_A_CATEGORY))) % len(LINES)]
    else:
        # 131 is a prime that divides no number of names, so every rank has words of its own.
        flavours = category.flavours
        many = len(brands) * len(LINES) * len(flavours)
        round_, place = divmod(rank, many)
        place, flavour = divmod((place * 131 + shift) % many, len(flavours))
        brand, line = brands[place % len(brands)], LINES[place // len(brands)]
        line, code = f"{line} {flavours[flavour]}", f"No. {round_ + 1}" if round_ else ""
        colour = ""
    size = category.sizes[int(rng.integers(len(category.sizes)))]
    return Name(brand, line, code, str(rng.choice(category.kinds)), colour, size)


def sibling_name(name: Name, category: Category, rng: np.random.Generator) -> Name:
    """Returns another product's name of the same line: another size, or the next model code."""
    if category.code and rng.random() < 0.5:
        return replace(name, code=f"{name.code[:-1]}5")
    others = [size for size in category.sizes if size != name.size]
    return replace(name, size=others[int(rng.integers(len(others)))])


def fold(text: str) -> str:
    """Returns text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.replace("ø", "o").replace("Ø", "O"))
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def _typo(word: str, rng: np.random.Generator) -> str:
    """Swaps, drops or doubles a letter inside a word."""
    at = int(rng.integers(1, len(word) - 1))
    kind = rng.integers(3)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == 1 else word[:at] + word[at] + word[at:]


def _unaccented(text: str) -> str:
    return "".join(fold(c).upper() if c.isupper() else fold(c) for c in text)


def variant(name: Name, rng: np.random.Generator) -> str:
    """Returns the name as a supplier may write it, never exactly as the shop does.

    Line, model code and size always remain (in some spelling): what is left out is what can be
    guessed, so that the text still means this product and no other.
    """
    size = write_size(name.size, int(rng.integers(6)), int(rng.integers(6)))
    if rng.random() < 0.2:
        size = size.replace(".", ",")
    code = name.code
    if rng.random() < 0.5:
        code = code.replace("-", "" if rng.random() < 0.6 else " ")
    words = [name.kind, name.colour]
    if rng.random() < 0.4:
        words = [" ".join(_SHORT.get(part, part) for part in word.split()) for word in words]
    kind, colour = words
    dropped = rng.random(3) < (0.2, 0.3, 0.15)
    brand = "" if dropped[0] else name.brand
    colour = "" if dropped[1] else colour
    kind = "" if dropped[2] else kind
    orders = (
        (brand, name.line, code, kind, colour, size),
        (kind, brand, name.line, code, size, colour),
        (name.line, code, brand, kind, colour, size),
        (brand, kind, name.line, code, colour, size),
        (colour, kind, brand, name.line, code, size),
    )
    parts = [part for part in orders[int(rng.integers(len(orders)))] if part]
    glue = str(rng.choice([" ", " ", " ", ", ", " - "]))
    long = [k for k, part in enumerate(parts) if part not in (code, size) and len(part) > 5]
    if long and rng.random() < 0.3:
        at = long[int(rng.integers(len(long)))]
        parts[at] = _typo(parts[at], rng)
    text = glue.join(parts)
    if rng.random() < 0.5:
        text = _unaccented(text)
    if rng.random() < 0.15:
        text = f"{text} {rng.choice(_EXTRAS)}"
    case = rng.random()
    if case < 0.2 or (case < 0.4 and text == str(name)):
        text = text.upper()
    elif case < 0.5 or text == str(name):
        text = text.lower()
    return text
