"""Import: photos per second into a new catalog, as a ratio to the in-process ceiling."""

import shutil
from pathlib import Path
from typing import Final

from bench.catalog.rates import large_manifest, measure_rates, probe_bundle
from bench.figures import Figures
from catalog.manifest import ManifestConfig, read_manifest
from inference.importer import import_manifest

_ROUNDS: Final = 3


def measure_imports(figures: Figures, work: Path) -> None:
    """Add `import_of_ceiling`: 20,000 products into a catalog that is made, small copies and all.

    And how long the same import takes when it is repeated and finds all there.

    Args:
        figures: to add to.
        work: where the bundle and the catalogs are kept.
    """
    bundle = probe_bundle(work)
    manifest = read_manifest(str(large_manifest(work)), ManifestConfig())
    place = work / "imported"

    def job() -> dict[str, float]:
        shutil.rmtree(place, ignore_errors=True)
        report = import_manifest(bundle, manifest, str(place), device="cpu")
        return {"import": report.photos / report.seconds}

    measure_rates(figures, bundle, job, _ROUNDS)
    again = import_manifest(bundle, manifest, str(place), device="cpu")
    figures.add("import_repeated_photos_per_second", again.photos / again.seconds)
