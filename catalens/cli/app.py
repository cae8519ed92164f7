"""The commands by name, and what becomes of an error."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from catalog.errors import CatalensError

_HELP = """Puts every product in its place in a shop's category tree.

Learn the tree from labelled photos, export one graph, serve it, match products."""

_STOPPED = 130
_FLAG = re.compile(r"--[a-z-]+")
_AMOUNT = re.compile(r"-[0-9]")

_EPILOGUE = """From nothing to a running service:

    catalens sample shop
    catalens train shop/manifest.csv --run shop-run
    catalens export shop-run shop-bundle
    catalens import shop-bundle shop/manifest.csv shop-catalog
    catalens serve shop-bundle --catalog shop-catalog

Exit codes: 0 done; 1 something you can mend, said in one sentence; 2 a command line that does not
fit; 130 stopped with Ctrl-C."""


@dataclass(frozen=True)
class Command:
    """A command before it is imported.

    Attributes:
        name: on the command line.
        function: module below ``catalens.cli`` and function, joined by a colon.
        summary: what it does in one sentence; a second paragraph shows in its own help only.
        examples: command lines that end its help.
    """

    name: str
    function: str
    summary: str
    examples: tuple[str, ...]


COMMANDS = (
    Command(
        "sample",
        "learning:sample",
        "Draw a sample shop: photos, a manifest and the truth, to try everything on.",
        ("catalens sample shop", "catalens sample shop --products 1000 --seed 7"),
    ),
    Command(
        "train",
        "learning:train",
        "Learn the category tree from labelled photos.\n\n"
        "It learns from the rows whose split is train, or from all where no row has a split.",
        (
            "catalens train shop/manifest.csv --run shop-run --budget 25m",
            "catalens train photos/ --run run --recipe probe",
            "catalens train train.csv --run run --image-root train \\",
            "    --image-column Image --category-column target",
        ),
    ),
    Command(
        "report",
        "learning:report",
        "Write what a new run gains and loses against an old one, with pictures.\n\n"
        "On the photos that were set aside, or judged out of fold, in both: train both from one "
        "manifest with one --seed.",
        ("catalens report shop-run shop-run-2 comparison.html",),
    ),
    Command(
        "track",
        "learning:track",
        "Log a finished run, and its bundle, in MLflow.",
        ("catalens track shop-run --bundle shop-bundle --uri http://mlflow.shop.example:5000",),
    ),
    Command(
        "export",
        "learning:export",
        "Make a bundle of a finished run: the graph, verified, with all that is needed to use it.",
        ("catalens export shop-run shop-bundle",),
    ),
    Command(
        "evaluate",
        "measuring:evaluate",
        "Measure a bundle's answers on labelled photos.\n\n"
        "It judges every row that is not train, or those of one split.",
        (
            "catalens evaluate shop-bundle shop/manifest.csv --json figures.json",
            "catalens evaluate shop-bundle shop/manifest.csv --split val \\",
            "    --catalog shop-catalog --use both",
        ),
    ),
    Command(
        "import",
        "catalogs:import_",
        "Put the products of a manifest into a catalog, which is made if it is not there.\n\n"
        "Rows with one id are photos of one product. An import that was stopped goes on when it "
        "is run again, and one that is repeated changes nothing.",
        (
            "catalens import shop-bundle shop/manifest.csv shop-catalog",
            "catalens import shop-bundle products.parquet s3://shop/catalog --split train",
        ),
    ),
    Command(
        "reindex",
        "catalogs:reindex",
        "Embed a catalog's products again, for a bundle that was trained anew.\n\n"
        "The old embeddings answer until all is done; a reindex that was stopped goes on when it "
        "is run again.",
        (
            "catalens reindex shop-bundle-2 shop-catalog",
            "catalens reindex shop-bundle-2 s3://shop/catalog --fill-only",
        ),
    ),
    Command(
        "duplicates",
        "catalogs:duplicates",
        "List products of a catalog that are there twice, as a page with pictures.",
        (
            "catalens duplicates shop-catalog duplicates.html",
            "catalens duplicates shop-catalog duplicates.html --bundle shop-bundle-2 \\",
            "    --table duplicates.csv",
        ),
    ),
    Command(
        "move-category",
        "catalogs:move_category",
        "Rename a category of a catalog, merge it into another or move it, with all below it.\n\n"
        "Products and reviews follow, and what bundles say of the old path counts for the new one.",
        (
            "catalens move-category shop-catalog Vehicle/Lorry Vehicle/Truck",
            'catalens move-category s3://shop/catalog "Sport/City bikes" Vehicle/Bike',
        ),
    ),
    Command(
        "forget-moves",
        "catalogs:forget_moves",
        "Forget that categories were moved, once a bundle was trained on their new paths.\n\n"
        "Products stay where they are; only what bundles say is taken as they say it again.",
        ("catalens forget-moves shop-catalog",),
    ),
    Command(
        "export-reviews",
        "catalogs:export_reviews",
        "Write what people decided in review as labelled data for the next training.",
        ("catalens export-reviews shop-catalog labelled --excel",),
    ),
    Command(
        "label-tasks",
        "labelling:label_tasks",
        "Write the answers that wait for a person as tasks of Label Studio.",
        (
            "catalens label-tasks http://127.0.0.1:8000 tasks.json --interface interface.xml",
            "catalens label-import http://127.0.0.1:8000 project-1-export.json",
        ),
    ),
    Command(
        "label-import",
        "labelling:label_import",
        "Decide reviews as people did in Label Studio.",
        ("catalens label-import http://127.0.0.1:8000 project-1-export.json",),
    ),
    Command(
        "backup",
        "catalogs:backup",
        "Copy a catalog as it is now into a folder of backups.",
        (
            "catalens backup shop-catalog shop-backups",
            "catalens backup s3://shop/catalog s3://other/backups",
        ),
    ),
    Command(
        "restore",
        "catalogs:restore",
        "Bring a catalog to what it was in a backup, or make it anew.\n\n"
        "Products and reviews that were added since are removed: stop what writes to it first.",
        (
            "catalens restore shop-backups shop-catalog",
            "catalens restore shop-backups shop-catalog --version 20260101T120000000000Z",
        ),
    ),
    Command(
        "fit-matching",
        "matching:fit_matching",
        "Learn when two products are one, from pairs or from a catalog, into a new bundle.\n\n"
        "Of a catalog, a photo of a product and its others are the same, and a name and other ways "
        "to write it; its nearest neighbours are not.\n\n"
        "The new bundle has the same graphs and embedding; a catalog of the old one stays good.",
        (
            "catalens fit-matching shop-bundle pairs.csv shop-bundle-2",
            "catalens fit-matching shop-bundle pairs.parquet shop-bundle-2 --precision 0.98",
            "catalens fit-matching shop-bundle shop-catalog shop-bundle-2",
        ),
    ),
    Command(
        "evaluate-matching",
        "matching:evaluate_matching",
        "Measure a bundle's scores on pairs of products that are one or not.\n\n"
        "It judges every pair that is not train, or those of one split.",
        ("catalens evaluate-matching shop-bundle-2 pairs.csv --split val --json figures.json",),
    ),
    Command(
        "batch",
        "scoring:batch",
        "Classify or categorize a whole catalog offline, into a folder of Parquet files.\n\n"
        "A job that was stopped goes on when it is run again. On a Ray cluster (RAY_ADDRESS) it "
        "takes all of it.",
        (
            "catalens batch shop-bundle products.parquet scored.parquet",
            "catalens batch shop-bundle photos/ s3://shop/scored --catalog s3://shop/catalog",
        ),
    ),
    Command(
        "serve",
        "serving:serve",
        "Serve a bundle over HTTP until Ctrl-C.",
        ("catalens serve shop-bundle --catalog shop-catalog --port 8000",),
    ),
    Command(
        "promote",
        "promoting:promote",
        "Have a running application answer with another bundle, without a gap.\n\n"
        "For what was deployed from a configuration file: by serve deploy, or on Kubernetes. If a "
        "replica refuses the bundle, the one before is named again. To go back, promote that one.",
        (
            "catalens promote /data/bundles/second http://127.0.0.1:8000",
            "catalens promote s3://shop/bundles/second https://catalens.shop.example \\",
            "    --config k8s/overlays/aws/serve.yaml",
        ),
    ),
    Command(
        "new-key",
        "serving:new_key",
        "Make an API key: its hash goes into a file, and the key is shown this once.\n\n"
        "A server with CATALENS_API_KEYS=FILE answers those who send one; it reads the file anew "
        "when it changes. To take a key back, delete its entry.",
        (
            "catalens new-key feed-import --scope write --file keys.json",
            "CATALENS_API_KEYS=keys.json catalens serve shop-bundle --host 0.0.0.0",
        ),
    ),
    Command(
        "classify",
        "asking:classify",
        "Say which category each photo shows.",
        (
            "catalens classify shop-bundle bike.jpg truck.png",
            "catalens classify http://127.0.0.1:8000 bike.jpg --json",
        ),
    ),
    Command(
        "compare",
        "asking:compare",
        "Say whether two products are one, from their photos, their names or both.",
        (
            "catalens compare shop-bundle --left-photo a.jpg --right-photo b.jpg",
            "catalens compare shop-bundle \\",
            '    --left-name "Oat milk 1 l" --right-name "oat milk 1000ml"',
        ),
    ),
    Command(
        "categorize",
        "asking:categorize",
        "Say where a new product belongs, from its photo, its name or both.",
        (
            "catalens categorize shop-bundle --catalog shop-catalog \\",
            '    --photo new.jpg --name "City bike 28 inch"',
            'catalens categorize http://127.0.0.1:8000 --name "City bike 28 inch" --json',
        ),
    ),
)


def make_app() -> App:
    """The application; no command's module is imported yet."""
    app = App(
        name="catalens",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        help_format="markdown",
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, command in enumerate(COMMANDS):
        examples = "\n".join(f"    {example}" for example in command.examples)
        app.command(
            f"catalens.cli.{command.function}",
            name=command.name,
            help=command.summary,
            help_epilogue=f"Example:\n\n{examples}",
            sort_key=place,
        )
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    try:
        code = make_app()(_amounts_joined(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt as stopped:
        Console(stderr=True).print(Text(f"Stopped. {stopped}".strip()), soft_wrap=True)
        sys.exit(_STOPPED)
    except CatalensError as error:
        sys.exit(_fail(str(error)))
    except OSError as error:
        if error.filename is None:  # such as what object storage says
            sys.exit(_fail(f"{(str(error) or repr(error)).splitlines()[0]}"))
        sys.exit(_fail(f"{error.filename}: {error.strerror}."))
    sys.exit(code)


def _amounts_joined(arguments: Sequence[str]) -> list[str]:
    """`--budget -5m` as `--budget=-5m`: it is a value, for no flag begins with a digit."""
    joined: list[str] = []
    for argument in arguments:
        if _AMOUNT.match(argument) and joined and _FLAG.fullmatch(joined[-1]):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _fail(sentence: str) -> int:
    console = Console(stderr=True)
    console.print(Text(sentence, style="red"), soft_wrap=True)
    return 1
