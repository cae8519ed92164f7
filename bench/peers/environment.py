"""A peer's own virtual environment, made the first time it is asked for."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, Literal

from catalog.errors import CatalensError

CACHE: Final = Path.home() / ".cache" / "catalens-bench"


class PeerUnavailable(CatalensError):
    """A peer that cannot be installed or started on this machine."""

    type = "peer-unavailable"


def environment(folder: Path, installer: Literal["uv", "pip"] = "uv") -> Path:
    """The Python of an environment with the folder's requirements.txt.

    Raises:
        PeerUnavailable: its requirements cannot be installed here.
    """
    requirements = folder / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    home = CACHE / f"{folder.name}-{digest}"
    python, done = home / "bin" / "python", home / ".installed"
    if done.exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    uv = str(Path(sys.executable).parent / "uv")
    _install(folder.name, [sys.executable, "-m", "venv", str(home)])
    tool = [uv, "pip", "install", "--python", str(python)]
    if installer == "pip":
        tool = [str(python), "-m", "pip", "install"]
    _install(folder.name, [*tool, "-r", str(requirements)])
    done.touch()
    return python


def _install(name: str, command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise PeerUnavailable(
            f"{name} cannot be installed: {said.strip()[-500:]}",
            where=" ".join(command),
            fix=f"Make its requirements installable here, or leave {name} out.",
        ) from error
