"""Products of a catalog that are one and the same: found by photo and name, shown as a page."""
