import resource
import subprocess
import sys
from pathlib import Path

import pytest

from catalens.cli.app import COMMANDS, main
from catalog.errors import InvalidBundle

NAMES = [command.name for command in COMMANDS]


def run(*arguments: object) -> int:
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    assert isinstance(left.value.code, int) or left.value.code is None
    return left.value.code or 0


def test_the_commands_come_in_the_order_of_a_shops_life() -> None:
    assert NAMES == [
        "sample", "train", "report", "track", "export", "evaluate", "import", "reindex",
        "duplicates", "move-category", "forget-moves", "export-reviews", "label-tasks",
        "label-import", "backup", "restore", "fit-matching", "evaluate-matching", "batch",
        "serve", "promote", "new-key", "classify", "compare", "categorize",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_each_help_shows_an_example_and_its_flags(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name, "--help") == 0
    shown = capsys.readouterr().out
    assert f"Usage: catalens {name}" in shown
    _, example = shown.split("Example:")
    assert f"catalens {name} " in example


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("sample", ("--products", "--seed", "[default: 300]")),
        ("train", ("--run", "--recipe", "--budget", "--workers", "--resume", "--image-column")),
        ("evaluate", ("--split", "--catalog", "--use", "--json", "--max-bad", "--image-root")),
        ("import", ("--split", "--bad-rows", "--id-column", "share of bad rows above which")),
        ("reindex", ("--fill-only", "--device")),
        ("duplicates", ("--bundle", "--table")),
        ("move-category", ("OLD", "NEW")),
        ("export-reviews", ("--excel",)),
        ("restore", ("--version", "removed")),
        ("fit-matching", ("--precision", "[default: 0.95]", "--image-root", "--max-bad")),
        ("evaluate-matching", ("--split", "--plot", "--json", "--image-root")),
        ("batch", ("--catalog", "--top-k", "--part-rows", "[default: 1024]", "--split")),
        ("serve", ("--catalog", "--host", "--port", "[default: 8000]", "--device")),
        ("classify", ("--json", "--top-k", "--level")),
        ("compare", ("--left-photo", "--left-name", "--right-photo", "--right-name", "--json")),
        ("categorize", ("--catalog", "--photo", "--name", "--json")),
    ],
)
def test_flags_and_their_help_come_from_the_configs(
    name: str, flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    run(name, "--help")
    shown = capsys.readouterr().out
    assert [flag for flag in flags if flag not in shown] == []


def test_the_main_help_names_every_command_and_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert [name for name in NAMES if f" {name} " not in shown] == []
    assert "Exit codes: 0 done; 1" in shown
    assert "130" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("teach",),
        ("train",),
        ("train", "shop.csv", "--run", "r", "--recipe", "magic"),
        ("train", "shop.csv", "--run", "r", "--epochs", "many"),
        ("export", "run"),
        ("evaluate", "bundle", "shop.csv", "--use", "smell"),
        ("classify", "bundle"),
        ("serve", "bundle", "--colour", "red"),
    ],
)
def test_a_command_line_that_does_not_fit_leaves_with_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_is_one_sentence_on_stderr_and_leaves_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", tmp_path, "shop.csv") == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    expected = InvalidBundle(
        "no bundle.json here, so it is no bundle.",
        where=str(tmp_path),
        fix="`catalens export RUN BUNDLE` makes one.",
    )
    assert shown.err == f"{expected}\n"


def test_a_file_that_cannot_be_written_is_named(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.colours import colour_photo

    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "1.jpg").write_bytes(colour_photo("Warm/Red"))
    assert run("evaluate", tiny_bundle, tmp_path, "--json", tmp_path / "A") == 1
    assert capsys.readouterr().err.endswith(f"{tmp_path / 'A'}: Is a directory.\n")


def test_ctrl_c_leaves_with_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("catalens.sample.draw_shop", stopped)
    assert run("sample", tmp_path / "shop") == 130


def modules_after(*commands: list[str]) -> list[set[str]]:
    """What a fresh interpreter has imported after each of several command lines."""
    code = (
        "import sys\n"
        "from catalens.cli import main\n"
        f"for command in {commands!r}:\n"
        "    try:\n"
        "        main(command)\n"
        "    except SystemExit:\n"
        "        print('|'.join(sys.modules), file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return [set(line.split("|")) for line in ran.stderr.splitlines()]


def test_help_loads_neither_torch_nor_ray_nor_the_catalog_store() -> None:
    heavy = {"torch", "ray", "lancedb", "timm", "matplotlib", "fastapi"}
    loaded = modules_after(*([name, "--help"] for name in NAMES))
    assert {name: found & heavy for name, found in zip(NAMES, loaded, strict=True)} == {
        name: set() for name in NAMES
    }


def test_the_main_help_loads_no_stage_and_is_quick() -> None:
    (loaded,) = modules_after(["--help"])
    stages = {"train", "export", "serve", "inference", "numpy", "pyarrow", "PIL", "httpx"}
    assert loaded & stages == set()
    command = [sys.executable, "-m", "catalens.cli", "--help"]
    assert min(processor_seconds(command) for _ in range(3)) < 0.5


def processor_seconds(command: list[str]) -> float:
    """Processor time of a command: unlike wall time, hardly moved by what else runs here."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
