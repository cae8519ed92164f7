"""A drawn shop for the end-to-end tests, made once."""

from pathlib import Path

import pytest

from catalens.sample import SampleConfig, draw_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest of 120 products with 3 photos each."""
    directory = tmp_path_factory.mktemp("e2e") / "shop"
    return draw_shop(directory, SampleConfig(products=120, photos=3, size=224))


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest of 108 products with 2 photos each, for runs that are broken on purpose."""
    directory = tmp_path_factory.mktemp("e2e") / "small"
    return draw_shop(directory, SampleConfig(products=108, photos=2, size=224))
