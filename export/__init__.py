"""A trained run to a verified bundle."""
