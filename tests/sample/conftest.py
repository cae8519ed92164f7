from pathlib import Path

import pytest

from catalens.sample import SampleConfig, draw_shop


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 products, 2 photos of 96 px each: small enough to draw within two seconds."""
    directory = tmp_path_factory.mktemp("sample") / "shop"
    draw_shop(directory, SampleConfig(products=120, photos=2, size=96))
    return directory
