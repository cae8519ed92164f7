"""What users wrote, inside rich's markup, and sentences that several commands say."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text


def bold(text: str | Path) -> str:
    """In bold, whatever brackets are in it."""
    return f"[bold]{escape(str(text))}[/bold]"


def cells(*values: object) -> list[Text]:
    """Cells of a table, whose brackets are no markup."""
    return [Text(str(value)) for value in values]


def counted(number: int, one: str, more: str = "") -> str:
    """So many of them: 1 product, 2,000 products."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def there_already(number: int) -> str:
    """How many of what was counted were there before, in brackets; nothing where none was."""
    return f" ({number:,} {'was' if number == 1 else 'were'} there already)" if number else ""


def tell_skipped(rows: int, bad_rows: Path, of: str = "row") -> None:
    """How many rows were left out, and where they are listed; nothing where there are none."""
    if rows:
        were, them = ("was", "it") if rows == 1 else ("were", "them")
        Console(stderr=True).print(
            f"{counted(rows, of)} {were} skipped; {bad_rows} lists {them}.",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def tell_notes(notes: Iterable[str]) -> None:
    """What else was seen in a manifest."""
    for note in notes:
        Console(stderr=True).print(f"{note}.", style="yellow", markup=False, soft_wrap=True)
