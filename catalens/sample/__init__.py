"""The sample shop: drawn products in a three-level tree, for a first try and for the tests.

Every file follows from a seed. The shop also tells the truth that real data lack: which photos and
which names are one product.
"""

from catalens.sample.shop import SampleConfig, draw_shop

__all__ = ["SampleConfig", "draw_shop"]
