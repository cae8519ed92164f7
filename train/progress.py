"""What a training run tells while it works: workers append lines, the driver draws bars."""

import json
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


@dataclass(frozen=True)
class Step:
    """One line of progress.

    Attributes:
        phase: what is being done: decode, features, probe, finetune.
        done: steps done in this phase.
        total: steps of this phase.
        note: epoch, rate, loss and metric, ready to be shown.
    """

    phase: str
    done: int
    total: int
    note: str = ""


class ProgressWriter:
    """Rank 0's side: appends to a file that the driver reads; silent on the other ranks."""

    def __init__(self, file: Path, *, active: bool, every: float = 0.25) -> None:
        self._file = file
        self._active = active
        self._every = every
        self._last = 0.0

    def __call__(self, step: Step) -> None:
        """Write a line, unless one was just written and this is not the phase's last."""
        now = time.monotonic()
        if not self._active or (step.done < step.total and now - self._last < self._every):
            return
        self._last = now
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(step)) + "\n")


class ProgressBars:
    """The driver's side: bars on the terminal, one per phase, following the workers' file."""

    def __init__(self, file: Path, console: Console) -> None:
        self._file = file
        self._progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._stop = threading.Event()
        self._reader = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "ProgressBars":
        self._progress.start()
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._reader.join()
        self._progress.stop()

    def show(self, step: Step) -> None:
        """Draw one step."""
        if step.phase not in self._tasks:
            self._tasks[step.phase] = self._progress.add_task(step.phase, note="")
        self._progress.update(
            self._tasks[step.phase], completed=step.done, total=step.total, note=step.note
        )

    def _follow(self) -> None:
        position = 0
        while not self._stop.wait(0.2):
            position = self._read_from(position)
        self._read_from(position)

    def _read_from(self, position: int) -> int:
        if not self._file.exists():
            return position
        with self._file.open("rb") as lines:
            lines.seek(position)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                position += len(line)
                self.show(Step(**json.loads(line)))
        return position
