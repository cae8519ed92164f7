"""`label-tasks` and `label-import`: the review queue in Label Studio."""

import json
from pathlib import Path

from rich.console import Console

from catalens.cli.markup import bold, counted
from catalens.cli.server import asked_server
from catalog.errors import InvalidRequest


def label_tasks(url: str, tasks: Path, /, *, interface: Path | None = None) -> None:
    """Write the answers that wait for a person as tasks of Label Studio.

    Args:
        url: of the server.
        tasks: JSON file to write, for Label Studio's import.
        interface: file to write the project's labelling interface into, with the category tree.
    """
    from catalens import label_studio

    with asked_server(url) as client:
        found = list(label_studio.tasks(client))
        tasks.write_text(json.dumps(found), encoding="utf-8")
        if interface is not None:
            interface.write_text(label_studio.interface(client.categories()), encoding="utf-8")
    Console().print(f"{bold(tasks)} holds {counted(len(found), 'task')}.", soft_wrap=True)


def label_import(url: str, exported: Path, /) -> int:
    """Decide reviews as people did in Label Studio.

    Args:
        url: of the server.
        exported: the project's export as JSON.
    """
    from catalens import label_studio

    with asked_server(url) as client:
        try:
            found = label_studio.decide(client, exported.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise InvalidRequest(
                "it is not JSON.", where=str(exported), fix="Export the project as JSON."
            ) from None
        except ValueError as error:
            raise InvalidRequest(
                f"{error}.", where=str(exported), fix="Export the project as JSON."
            ) from None
    Console().print(
        f"{counted(found.decided, 'review')} decided, "
        f"{counted(found.left, 'task')} not labelled yet."
    )
    for problem in found.problems:
        Console(stderr=True).print(problem, style="yellow", markup=False, soft_wrap=True)
    return 1 if found.problems else 0
