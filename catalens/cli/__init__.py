"""The command line: one file per group of commands, each imported when its command runs."""

from catalens.cli.app import main

__all__ = ["main"]
