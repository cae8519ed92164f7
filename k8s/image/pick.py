"""Of a lock file, with its hashes, the packages that a list names: `pick.py LIST LOCK [GLOB...]`.

The globs are packages that are left out all the same.
"""

import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path


def picked(names: set[str], lock: str, without: Sequence[str]) -> str:
    """Blocks of the lock: a requirement, its hashes, and comments on where it comes from."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    return "".join(
        block
        for block in blocks
        if (found := re.match(r"[A-Za-z0-9._-]+", block)) is not None
        and found[0] in names
        and not any(fnmatch(found[0], glob) for glob in without)
    )


if __name__ == "__main__":
    listed, locked, *globs = sys.argv[1:]
    lines = Path(listed).read_text(encoding="utf-8").splitlines()
    wanted = {re.split(r"[=\[ ;]", line)[0] for line in lines if line and line[0].isalnum()}
    sys.stdout.write(picked(wanted, Path(locked).read_text(encoding="utf-8"), globs))
