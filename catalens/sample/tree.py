"""The sample shop's category tree: for each leaf how to draw it, and the words of its names."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from catalens.sample import apparel, furniture, vehicles, vessels
from catalens.sample.look import Look
from catalens.sample.pen import Pen

Size = tuple[int, float, str]  # how many in a pack, amount, unit


@dataclass(frozen=True)
class Category:
    """A leaf of the tree.

    Attributes:
        path: its place, `/` between the levels.
        draw: draws one product of it with proportions from the generator.
        kinds: the words that a name may use for the thing.
        code: what its model codes begin with; empty where products have flavours instead.
        sizes: pack count, amount and unit it is sold in, the smallest first.
        flavours: what tells products of one line apart where there is no model code.
    """

    path: str
    draw: Callable[[Pen, Look, np.random.Generator], None]
    kinds: tuple[str, ...]
    code: str
    sizes: tuple[Size, ...]
    flavours: tuple[str, ...] = ()


def _sizes(unit: str, *amounts: float) -> tuple[Size, ...]:
    return tuple((1, amount, unit) for amount in amounts)


BRANDS: dict[str, tuple[str, ...]] = {
    "Vehicle": ("Orlan", "Norvik", "Kästrel", "Tatrum", "Veloce", "Hinoda"),
    "Home": ("Bjørka", "Maison Élan", "Hearthly", "Kobo & Sons", "Lumière", "Stellan"),
    "Fashion": ("Calzado Río", "Urbane", "Fjellro", "Mira Costa", "Ashdown", "Señora Luz"),
    "Grocery": ("Alpenquell", "Café Sol", "Freshly", "Grünhof", "Nonna Pia", "Brightwell"),
    "Electronics": ("Auralis", "Zenko", "Tempora", "Nördlich", "Pulsar", "Vantix"),
}
LINES = (
    "Aero", "Boreas", "Cirrus", "Delta", "Echo", "Fjord", "Granite", "Harbor", "Iris", "Juno",
    "Kodiak", "Lyra", "Meridian", "Nova", "Orbit", "Prima", "Quartz", "Ridge", "Sierra", "Terra",
    "Umbra", "Vista", "Willow", "Zephyr",
)  # fmt: skip

_DRINKS = (
    "Lemon", "Cola", "Ginger", "Peach", "Raspberry", "Lime", "Elderflower", "Orange", "Apple",
    "Tonic", "Iced Tea", "Cherry", "Mango",
)  # fmt: skip
_SPREADS = (
    "Honey", "Plum", "Apricot", "Strawberry", "Fig", "Gherkin", "Olive", "Pesto", "Chutney",
    "Hazelnut", "Quince",
)  # fmt: skip
_DRINK_SIZES: tuple[Size, ...] = (
    (1, 250, "ml"),
    (1, 330, "ml"),
    (1, 500, "ml"),
    (2, 330, "ml"),
    (6, 330, "ml"),
    (6, 500, "ml"),
)

# Products take turns in this order, so that the smallest shop has a truck, a car and a bike.
TREE: tuple[Category, ...] = (
    Category(
        "Vehicle/Road/Truck",
        vehicles.truck,
        ("Truck", "Delivery Truck", "Lorry"),
        "TX",
        _sizes("t", 3.5, 7.5, 12, 18),
    ),
    Category(
        "Vehicle/Road/Car",
        vehicles.car,
        ("Car", "Saloon Car", "Hatchback"),
        "C",
        _sizes("L", 1.2, 1.4, 1.6, 2),
    ),
    Category(
        "Vehicle/Road/Bike",
        vehicles.bike,
        ("Bike", "City Bike", "Bicycle"),
        "BK",
        _sizes("in", 24, 26, 28, 29),
    ),
    Category(
        "Home/Kitchen/Mug",
        vessels.mug,
        ("Mug", "Coffee Mug", "Stoneware Mug"),
        "MG",
        _sizes("ml", 250, 300, 350, 400),
    ),
    Category(
        "Fashion/Shoe/Sneaker",
        apparel.sneaker,
        ("Sneaker", "Trainers", "Running Shoe"),
        "SN",
        _sizes("EU", 38, 40, 41, 42, 43, 44),
    ),
    Category(
        "Grocery/Drink/Bottle",
        vessels.bottle,
        ("Bottle", "Drink Bottle", "Glass Bottle"),
        "",
        _DRINK_SIZES,
        _DRINKS,
    ),
    Category(
        "Electronics/Sound/Headphones",
        apparel.headphones,
        ("Headphones", "Wireless Headphones", "Headset"),
        "HP",
        _sizes("ohm", 16, 32, 64, 80),
    ),
    Category(
        "Home/Furniture/Chair",
        furniture.chair,
        ("Chair", "Dining Chair", "Side Chair"),
        "CH",
        _sizes("cm", 42, 45, 48),
    ),
    Category(
        "Vehicle/Road/Van",
        vehicles.van,
        ("Van", "Delivery Van", "Panel Van"),
        "VN",
        _sizes("t", 2.8, 3.2, 3.5),
    ),
    Category(
        "Fashion/Bag/Handbag",
        apparel.handbag,
        ("Handbag", "Leather Handbag", "Tote Bag"),
        "HB",
        _sizes("cm", 24, 28, 32, 36),
    ),
    Category(
        "Home/Light/Lamp",
        furniture.lamp,
        ("Lamp", "Table Lamp", "Bedside Lamp"),
        "LM",
        _sizes("W", 25, 40, 60),
    ),
    Category(
        "Grocery/Drink/Can",
        vessels.can,
        ("Can", "Drink Can", "Soft Drink Can"),
        "",
        _DRINK_SIZES,
        _DRINKS,
    ),
    Category(
        "Fashion/Shoe/Boot",
        apparel.boot,
        ("Boot", "Ankle Boot", "Leather Boot"),
        "BT",
        _sizes("EU", 37, 38, 39, 40, 42, 43),
    ),
    Category(
        "Home/Kitchen/Teapot",
        vessels.teapot,
        ("Teapot", "Tea Pot", "Porcelain Teapot"),
        "TP",
        _sizes("L", 0.8, 1, 1.2, 1.5),
    ),
    Category(
        "Electronics/Wearable/Watch",
        apparel.watch,
        ("Watch", "Wristwatch", "Quartz Watch"),
        "WT",
        _sizes("mm", 36, 38, 40, 42),
    ),
    Category(
        "Home/Furniture/Stool",
        furniture.stool,
        ("Stool", "Bar Stool", "Kitchen Stool"),
        "ST",
        _sizes("cm", 45, 60, 65, 75),
    ),
    Category(
        "Fashion/Bag/Backpack",
        apparel.backpack,
        ("Backpack", "Rucksack", "Daypack"),
        "BP",
        _sizes("L", 15, 18, 22, 28),
    ),
    Category(
        "Grocery/Pantry/Jar",
        vessels.jar,
        ("Jar", "Glass Jar", "Preserving Jar"),
        "",
        _sizes("g", 200, 250, 370, 500),
        _SPREADS,
    ),
)
