"""The documentation as a site."""

import subprocess
from pathlib import Path

import yaml

PACKAGES = ("--from", "mkdocs==1.6.1", "--with", "mkdocs-material==9.7.0")


def test_every_page_is_in_the_site_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    command = (".venv/bin/uv", "tool", "run", "--quiet", *PACKAGES, "mkdocs", "build", "--strict")
    built = subprocess.run(
        [*command, "--site-dir", str(tmp_path / "site")],
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
