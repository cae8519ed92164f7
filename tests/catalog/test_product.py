import numpy as np
import pytest

from catalog.errors import InvalidRequest
from catalog.product import Product


@pytest.mark.parametrize("product_id", ["", "a\nb", "a\x00", "\x7f", "x" * 257, "\ud800"])
def test_an_unusable_id_is_refused_saying_which(product_id: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Product(product_id)
    assert repr(product_id[:40]) in str(caught.value)


def test_a_category_path_is_kept_in_canonical_form() -> None:
    assert Product("p", category=" A / B//C ").category == "A/B/C"
    assert Product("p", category=" / ").category is None


def test_an_embedding_must_be_a_float32_vector_of_length_one() -> None:
    for bad in (
        np.ones(4, np.float32),
        np.array([1.0, 0.0]),
        np.array([[1.0]], np.float32),
        np.array([np.nan, 1.0], np.float32),
    ):
        with pytest.raises(InvalidRequest):
            Product("p", embedding=bad)
