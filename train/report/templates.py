"""The pages' templates: HTML that needs nothing else."""

from typing import Final

from jinja2 import Environment, PackageLoader

TEMPLATES: Final = Environment(loader=PackageLoader("train", "report"), autoescape=True)
