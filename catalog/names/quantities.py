"""Amounts written in product names: `500ml`, `0.5 L`, `2 x 330 ml`, `6-pack`, `24"`, `16 GB`.

`rewrite` brings every spelling of an amount to one token in the base unit of its kind, so that
equal amounts are equal text; `parse` reads those tokens back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# kind: (base unit, {size in base units: spellings}); `_` in a spelling stands for a space
_KINDS: Final[dict[str, tuple[str, dict[float, str]]]] = {
    "volume": (
        "l",
        {
            1e-3: "ml millilitre millilitres milliliter milliliters мл",
            1e-2: "cl centilitre centilitres centiliter centiliters",
            0.1: "dl decilitre decilitres deciliter deciliters",
            1.0: "l lt ltr ltrs litre litres liter liters litro litros л",
            0.0295735: "fl_oz floz fl._oz fluid_ounce fluid_ounces",
            0.473176: "pint pints",
            3.78541: "gal gallon gallons",
        },
    ),
    "mass": (
        "kg",
        {
            1e-6: "mg milligram milligrams",
            1e-3: "g gr gm gms gram grams gramm gramme grammes г гр",
            1.0: "kg kgs kilo kilos kilogram kilograms кг",
            0.0283495: "oz ounce ounces",
            0.453592: "lb lbs pound pounds",
        },
    ),
    "length": (
        "mm",
        {
            1.0: "mm millimetre millimetres millimeter millimeters мм",
            10.0: "cm centimetre centimetres centimeter centimeters см",
            1000.0: "m mtr metre metres meter meters м",
            25.4: '" in inch inches zoll',
            304.8: "ft foot feet",
        },
    ),
    "power": ("w", {1.0: "w watt watts вт", 1000.0: "kw"}),
    "data": ("gb", {1e-3: "mb mo", 1.0: "gb go гб", 1e3: "tb"}),
    "charge": ("mah", {1.0: "mah", 1000.0: "ah"}),
    "voltage": ("v", {1.0: "v volt volts"}),
    "frequency": ("mhz", {1e-6: "hz", 1e-3: "khz", 1.0: "mhz", 1e3: "ghz"}),
    "rate": ("mbps", {1.0: "mbps mbit/s", 8.0: "mb/s", 1e3: "gbps gbit/s"}),
    "pixels": ("mp", {1.0: "mp mpix mpx megapixel megapixels"}),
    "share": ("%", {1.0: "%"}),
    "count": ("pcs", {1.0: "pcs pc piece pieces count ct stk stuck шт units"}),
    "packs": ("pack", {1.0: "pack packs pk pks packung"}),
}
_SIZES: Final = {
    spelling.replace("_", " "): (kind, base, size)
    for kind, (base, sizes) in _KINDS.items()
    for size, spellings in sizes.items()
    for spelling in spellings.split()
}
_MULTIPLIED: Final = frozenset({"volume", "mass", "data"})  # `2 x 330 ml` is 660 ml
_AMBIGUOUS: Final = frozenset({"2g", "3g", "4g", "5g"})  # mobile networks far oftener than grams
_WORD = "a-zа-я"
_NUMBER = r"\d{1,7}(?:\.\d{1,9})?"
_VALUE = rf"(?:\d{{1,2}} )?\d{{1,2}}/\d{{1,2}}|{_NUMBER}"


def _either(spellings: Sequence[str]) -> str:
    return "|".join(re.escape(s) for s in sorted(spellings, key=len, reverse=True))


# One letter needs care: `mx-5 m`, `360 w`, `5 in black` are not amounts.
_UNIT: Final = (
    rf"(?:\s?(?:{_either([s for s in _SIZES if s != 'in'])})"
    rf"|-(?:{_either([s for s in _SIZES if len(s) > 1])})|in)(?![{_WORD}\d]|-\d)"
)
_TIMES: Final = r"\s?[x*×х]\s?"
_AMOUNT: Final = re.compile(
    rf"(?=\d)(?<![{_WORD}\d.\-])(?P<times>(?:{_NUMBER}{_TIMES})*)(?P<value>{_VALUE})"
    rf"(?P<unit>{_UNIT})(?P<more>(?:{_TIMES}\d{{1,3}}(?![{_WORD}\d.]|{_UNIT}))*)"
)
_PACK_OF: Final = re.compile(
    rf"(?<![{_WORD}])(?:pack|set|box|case|kit|lot) of (\d{{1,4}})(?![{_WORD}\d.])"
)
_SIDES: Final = re.compile(rf"(?<=mm)\s*[x*×х]\s*(?=[\d.]+mm(?![{_WORD}]))")  # `10cm x 20cm`
_TOKEN: Final = re.compile(rf"({_NUMBER})({_either([base for base, _ in _KINDS.values()])})")


@dataclass(frozen=True)
class Quantity:
    """An amount in the base unit of its kind.

    Attributes:
        kind: `volume` (l), `mass` (kg), `length` (mm), `power` (W), `data` (GB), `charge` (mAh),
            `voltage` (V), `frequency` (MHz), `rate` (Mbit/s), `pixels` (MP), `share` (%),
            or `count` (pieces).
        value: the amount, more than 0.
    """

    kind: str
    value: float

    def __str__(self) -> str:
        value, unit = self.value, "pcs" if self.kind == "count" else _KINDS[self.kind][0]
        if self.kind == "volume" and value < 0.1:
            value, unit = value * 1e3, "ml"
        elif self.kind == "mass" and value < 1:
            value, unit = (value * 1e3, "g") if value >= 1e-3 else (value * 1e6, "mg")
        elif self.kind == "length" and value >= 10:
            value, unit = (value / 10, "cm") if value < 1000 else (value / 1000, "m")
        return f"{value:.4g} {unit}" if value < 1e4 else f"{value:.0f} {unit}"

    def agrees(self, other: "Quantity") -> bool:
        """True for the same kind within 1%, the slack of `12 fl oz (355 ml)`."""
        larger = max(self.value, other.value)
        return self.kind == other.kind and abs(self.value - other.value) <= 0.01 * larger


def rewrite(text: str) -> str:
    """Replaces each amount in folded text by its token: `2 x 330 ml` -> `0.66l`.

    Sizes such as `10 x 20 cm` become a token each. Amounts under 1e-6 or from 1e7 base units,
    and `2g` to `5g` without a space (mobile networks), stay as they are.
    """
    if " of " in text:
        text = _PACK_OF.sub(r" \1pack ", text)
    return _SIDES.sub(" ", _AMOUNT.sub(_replace, text))


def parse(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[Quantity, ...]]:
    """Splits rewritten words into plain words and quantities, each in order.

    A `6pack` beside exactly one volume, mass or amount of data multiplies it, else it counts.
    """
    plain: list[str] = []
    found: list[Quantity] = []
    packs: list[float] = []
    for word in words:
        match = _TOKEN.fullmatch(word)
        if match is None or word in _AMBIGUOUS:
            plain.append(word)
            continue
        kind, value = _SIZES[match[2]][0], float(match[1])
        if kind == "packs":
            packs.append(value)
        elif value > 0:
            found.append(Quantity(kind, value))
    contents = [i for i, quantity in enumerate(found) if quantity.kind in _MULTIPLIED]
    if len(packs) == len(contents) == 1 and packs[0] > 0:
        content = found[contents[0]]
        found[contents[0]] = Quantity(content.kind, content.value * packs[0])
    else:
        found += [Quantity("count", value) for value in packs if value > 0]
    return tuple(plain), tuple(dict.fromkeys(found))


def agreement(left: Sequence[Quantity], right: Sequence[Quantity]) -> int:
    """1 where every kind that both sides state agrees, -1 where one conflicts, 0 where none is.

    A kind agrees when some value is on both sides: `500 ml (17 fl oz)` agrees with `0.5 l`.
    """
    shared = {quantity.kind for quantity in left} & {quantity.kind for quantity in right}
    for kind in shared:
        others = [quantity for quantity in right if quantity.kind == kind]
        if not any(a.agrees(b) for a in left if a.kind == kind for b in others):
            return -1
    return 1 if shared else 0


def _replace(match: re.Match[str]) -> str:
    if match[0] in _AMBIGUOUS:
        return match[0]
    kind, base, factor = _SIZES[match["unit"].lstrip(" -")]
    values = [float(n) for n in re.findall(_NUMBER, match["times"])]
    after = [float(n) for n in re.findall(_NUMBER, match["more"])]
    last = _fraction(match["value"])
    if match["unit"].strip() in ("mb", "mo") and last % 256 == 0:
        factor = 1 / 1024
    if kind == "length":
        amounts = [value * factor for value in (*values, last, *after)]
        units = [base] * len(amounts)
    elif kind in _MULTIPLIED:
        amounts, units = [last * factor], [base]
        for count in (*values, *after):
            amounts[0] *= count
    else:
        amounts = [*values, *after, last * factor]
        units = ["pack"] * (len(amounts) - 1) + [base]
    if not all(1e-6 <= amount < 1e7 for amount in amounts):
        return match[0]
    tokens = [f"{_plain(amount)}{unit}" for amount, unit in zip(amounts, units, strict=True)]
    return f" {' '.join(tokens)} "


def _fraction(text: str) -> float:
    """Reads `0.5`, `1/2` and `1 1/2`; a fraction over zero is 0."""
    if "/" not in text:
        return float(text)
    *whole, fraction = text.split(" ")
    above, below = (float(part) for part in fraction.split("/"))
    return sum(map(float, whole)) + (above / below if below else 0.0)


def _plain(value: float) -> str:
    """Six significant digits and no exponent, so that a token reads back as itself."""
    return f"{float(f'{value:.6g}'):.9f}".rstrip("0").rstrip(".")
