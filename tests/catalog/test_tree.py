import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.errors import InvalidRequest, UnknownCategory
from catalog.tree import (
    CategoryTree,
    ancestors,
    normalise_path,
    prefix,
    roll_up_paths,
)

CLASSES = ("Fruit/Apple/Gala", "Fruit/Apple/Lady", "Fruit/Kiwi", "Milk", "Milk/Oat")
TREE = CategoryTree(CLASSES)

segments = st.text("abc", min_size=1, max_size=2)
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)


@st.composite
def trees_and_shares(draw: st.DrawFn) -> tuple[CategoryTree, NDArray[np.float32]]:
    """A tree, some of whose classes may be inner nodes, and a distribution over its classes."""
    classes = draw(st.lists(paths, min_size=1, max_size=12, unique=True))
    weights = draw(
        st.lists(st.integers(0, 1000), min_size=len(classes), max_size=len(classes)).filter(any)
    )
    shares = np.array([weights], dtype=np.float32)
    return CategoryTree(classes), shares / shares.sum()


def rolled(*shares: float) -> NDArray[np.float32]:
    return TREE.roll_up(np.array([shares], dtype=np.float32))


def test_paths_are_brought_into_one_form() -> None:
    assert normalise_path(" Fruit / Apple//Gala / ") == "Fruit/Apple/Gala"
    assert normalise_path(" / ") == ""


def test_a_shorter_path_is_its_own_prefix() -> None:
    assert prefix("a/b/c", 2) == "a/b"
    assert prefix("a", 3) == "a"
    assert ancestors("a/b/c") == ("a", "a/b", "a/b/c")


def test_probabilities_sum_into_every_ancestor() -> None:
    node = dict(zip(TREE.nodes, rolled(0.2, 0.3, 0.1, 0.1, 0.3)[0], strict=True))
    assert node["Fruit"] == pytest.approx(0.6)
    assert node["Fruit/Apple"] == pytest.approx(0.5)
    assert node["Fruit/Kiwi"] == pytest.approx(0.1)


def test_an_inner_class_counts_for_itself_and_its_children() -> None:
    node = dict(zip(TREE.nodes, rolled(0, 0, 0, 0.6, 0.4)[0], strict=True))
    assert node["Milk"] == pytest.approx(1.0)
    assert node["Milk/Oat"] == pytest.approx(0.4)


def test_a_level_holds_shorter_classes_as_themselves() -> None:
    assert TREE.level(1) == ("Fruit", "Milk")
    assert TREE.level(2) == ("Fruit/Apple", "Fruit/Kiwi", "Milk", "Milk/Oat")
    assert TREE.level(3) == (
        "Fruit/Apple/Gala",
        "Fruit/Apple/Lady",
        "Fruit/Kiwi",
        "Milk",
        "Milk/Oat",
    )


@pytest.mark.parametrize("depth", [0, -1, 4])
def test_a_level_that_is_not_there_is_refused(depth: int) -> None:
    with pytest.raises(InvalidRequest, match="levels 1 to 3"):
        TREE.level(depth)


def test_the_best_of_a_level_is_the_likeliest_prefix() -> None:
    shares = rolled(0.25, 0.25, 0.4, 0.05, 0.05)
    assert TREE.best_at(shares, 1) == ["Fruit"]
    assert TREE.best_at(shares, 2) == ["Fruit/Apple"]
    assert TREE.best_at(shares, 3) == ["Fruit/Kiwi"]


def test_the_answer_is_the_deepest_certain_category() -> None:
    shares = rolled(0.5, 0.4, 0.05, 0.05, 0.0)[0]
    assert TREE.answer(shares, 0.4).path == "Fruit/Apple/Gala"
    assert TREE.answer(shares, 0.8).path == "Fruit/Apple"
    assert TREE.answer(shares, 0.93).path == "Fruit"
    assert TREE.answer(shares, 0.8).certain


def test_without_certainty_the_likeliest_root_is_named_and_not_certain() -> None:
    answer = TREE.answer(rolled(0.2, 0.2, 0.2, 0.3, 0.1)[0], 0.9)
    assert (answer.path, answer.certain) == ("Fruit", False)
    assert answer.probability == pytest.approx(0.6)


def test_the_answer_descends_into_children_of_an_inner_class() -> None:
    assert TREE.answer(rolled(0, 0, 0, 0.1, 0.9)[0], 0.8).path == "Milk/Oat"
    assert TREE.answer(rolled(0, 0, 0, 0.9, 0.1)[0], 0.8).path == "Milk"


def test_unknown_categories_are_refused() -> None:
    assert TREE.require("Fruit/Apple") == "Fruit/Apple"
    with pytest.raises(UnknownCategory, match="Fruit/Pear"):
        TREE.require("Fruit/Pear")


def test_ranked_classes_and_levels_start_with_the_likeliest() -> None:
    shares = np.array([0.1, 0.2, 0.4, 0.3, 0.0], dtype=np.float32)
    assert list(TREE.ranked_classes(shares))[:2] == ["Fruit/Kiwi", "Milk"]
    assert list(TREE.ranked_level(TREE.roll_up(shares[None])[0], 1)) == ["Fruit", "Milk"]


def test_the_nested_tree_names_every_segment() -> None:
    assert TREE.as_nested() == {
        "Fruit": {"Apple": {"Gala": {}, "Lady": {}}, "Kiwi": {}},
        "Milk": {"Oat": {}},
    }


def test_shares_of_any_paths_roll_up_largest_first() -> None:
    total = roll_up_paths({"a/b": 0.5, "a/c": 0.3, "d": 0.2})
    assert list(total) == ["a", "a/b", "a/c", "d"]
    assert total["a"] == pytest.approx(0.8)


def test_a_tree_without_classes_has_no_answer() -> None:
    with pytest.raises(InvalidRequest):
        CategoryTree(()).answer(np.zeros(0, dtype=np.float32), 0.5)


@given(trees_and_shares())
def test_a_node_has_what_its_children_and_its_own_class_have(
    drawn: tuple[CategoryTree, NDArray[np.float32]],
) -> None:
    tree, shares = drawn
    node = dict(zip(tree.nodes, tree.roll_up(shares)[0], strict=True))
    for path, value in node.items():
        below = [node[child] for child in tree.nodes if child.rpartition("/")[0] == path]
        own = shares[0, tree.classes.index(path)] if path in tree.classes else 0.0
        assert value == pytest.approx(sum(below) + own, abs=1e-5)


@given(trees_and_shares())
def test_every_level_shares_out_the_whole(drawn: tuple[CategoryTree, NDArray[np.float32]]) -> None:
    tree, shares = drawn
    node = tree.roll_up(shares)[0]
    for depth in range(1, tree.depth + 1):
        expected = dict.fromkeys(tree.level(depth), 0.0)
        for path, share in zip(tree.classes, shares[0], strict=True):
            expected[prefix(path, depth)] += float(share)
        assert tree.ranked_level(node, depth) == pytest.approx(expected, abs=1e-5)


@given(trees_and_shares(), st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_answer_is_a_prefix_of_a_laxer_one(
    drawn: tuple[CategoryTree, NDArray[np.float32]], one: float, other: float
) -> None:
    tree, shares = drawn
    node = tree.roll_up(shares)[0]
    lax, strict = (tree.answer(node, certainty) for certainty in sorted((one, other)))
    assert f"{lax.path}/".startswith(f"{strict.path}/")
    assert strict.probability <= 1.0
    assert not strict.certain or strict.probability >= max(one, other)


@given(trees_and_shares())
def test_the_best_of_the_deepest_level_is_the_likeliest_class(
    drawn: tuple[CategoryTree, NDArray[np.float32]],
) -> None:
    tree, shares = drawn
    best = tree.best_at(tree.roll_up(shares), tree.depth)[0]
    assert shares[0, tree.classes.index(best)] == pytest.approx(shares.max(), abs=1e-5)


@given(paths)
def test_normalising_a_path_again_changes_nothing(path: str) -> None:
    assert normalise_path(normalise_path(f" /{path}// ")) == normalise_path(path) == path
