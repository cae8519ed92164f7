"""Names of products: one normal form, what two have in common, and how probably they are one."""

from catalog.names.default import DEFAULT_NAME_MODEL
from catalog.names.form import Name, normalise
from catalog.names.model import NameComparison, NameModel

__all__ = ["DEFAULT_NAME_MODEL", "Name", "NameComparison", "NameModel", "normalise"]
