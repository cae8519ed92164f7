"""A feed's categories as paths of the shop's own tree."""

from pathlib import Path

import pytest

from catalog.errors import InvalidManifest
from catalog.manifest import ManifestConfig, read_manifest

GOOGLE = """# Google_Product_Taxonomy_Version: 2021-09-21
1 - Animals & Pet Supplies
166 - Apparel & Accessories
1604 - Apparel & Accessories > Clothing
2271 - Apparel & Accessories > Clothing > Dresses
499 - Media > Audio/Video
"""


def categories(tmp_path: Path, table: str, mapping: Path) -> list[str | None]:
    source = tmp_path / "feed.csv"
    source.write_text(table)
    config = ManifestConfig(category_map=str(mapping), category_column="google", max_bad=0.9)
    bad = tmp_path / "bad.csv"
    manifest = read_manifest(str(source), config, needs=frozenset(), bad_rows_file=bad)
    return [row.category for row in manifest.rows]


def test_googles_taxonomy_is_taken_by_id_and_by_name(tmp_path: Path) -> None:
    mapping = tmp_path / "taxonomy-with-ids.en-US.txt"
    mapping.write_text(GOOGLE)
    table = "name,google\na,2271\nb,Apparel & Accessories > Clothing\nc,499\nd,\ne,7\n"
    assert categories(tmp_path, table, mapping) == [
        "Apparel & Accessories/Clothing/Dresses",
        "Apparel & Accessories/Clothing",
        "Media/Audio-Video",
        None,
    ]
    assert "'7' is not in" in (tmp_path / "bad.csv").read_text()


def test_a_table_maps_to_the_shops_own_paths(tmp_path: Path) -> None:
    mapping = tmp_path / "map.csv"
    mapping.write_text("from,to\nShirts (men),Apparel / Shirts\n2271,Apparel/Dresses\n")
    table = "name,google\na,Shirts (men)\nb,2271\n"
    assert categories(tmp_path, table, mapping) == ["Apparel/Shirts", "Apparel/Dresses"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("map.csv", "a,b\n1,2\n", "columns are a, b"),
        ("map.csv", "from,to\n,X\n", "is empty"),
        ("map.csv", "from,to\n", "maps nothing"),
        ("map.csv", "from,to\na,X\na,Y\n", "mapped to 'X', too"),
        ("map.txt", "nothing\n", "maps nothing"),
    ],
)
def test_a_map_that_is_none_is_refused_with_its_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    mapping = tmp_path / name
    mapping.write_text(text)
    with pytest.raises(InvalidManifest, match=said) as caught:
        categories(tmp_path, "name,google\na,1\n", mapping)
    assert str(mapping) in caught.value.where


def test_a_row_that_is_not_mapped_says_nothing_of_its_product(tmp_path: Path) -> None:
    mapping = tmp_path / "map.csv"
    mapping.write_text("from,to\ng,Good\n")
    table = "id,name,google\n1,Old,zzz\n1,New,g\n"
    assert categories(tmp_path, table, mapping) == ["Good"]


def test_a_folder_tree_is_mapped_too(tmp_path: Path) -> None:
    for name in ("1604", "9"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "a.jpg").write_bytes(b"x")
    mapping = tmp_path / "taxonomy.txt"
    mapping.write_text(GOOGLE)
    config = ManifestConfig(category_map=str(mapping), max_bad=0.9)
    rows = read_manifest(str(tmp_path / "photos"), config).rows
    assert [row.category for row in rows] == ["Apparel & Accessories/Clothing"]


def test_a_map_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="cannot be read"):
        categories(tmp_path, "name,google\na,1\n", tmp_path / "none.csv")
