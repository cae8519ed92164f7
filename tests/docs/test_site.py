"""The documentation as a site."""

import subprocess
from pathlib import Path

import yaml

from docs.reference import write

MKDOCS = (".venv/bin/uv", "tool", "run", "--with-requirements", "docs/requirements.txt", "mkdocs")


def test_every_page_is_in_the_site_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    built = subprocess.run(
        [*MKDOCS, "build", "--strict", "--site-dir", str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    pages = {path.relative_to("docs").as_posix() for path in Path("docs").rglob("*.md")}
    named = yaml.safe_dump(yaml.safe_load(Path("mkdocs.yml").read_text())["nav"])
    assert [page for page in pages if page not in named] == []
    # Offline: no page asks another host for a script, a style or a font.
    text = (tmp_path / "site" / "index.html").read_text()
    assert "fonts.googleapis" not in text


def test_the_reference_is_what_the_code_says() -> None:
    said = {"commands.md": write.commands(), "openapi.json": write.openapi()}
    for file, text in said.items():
        written = Path("docs", "reference", file).read_text()
        assert written == text, f"`make reference` writes docs/reference/{file} anew"
