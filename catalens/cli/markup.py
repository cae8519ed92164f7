"""What users wrote, inside rich's markup."""

from pathlib import Path

from rich.markup import escape


def bold(text: str | Path) -> str:
    """In bold, whatever brackets are in it."""
    return f"[bold]{escape(str(text))}[/bold]"
