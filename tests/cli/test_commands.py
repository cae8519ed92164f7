import resource
import subprocess
import sys
from pathlib import Path

import pytest

from catalens.cli.app import COMMANDS, main
from catalens.cli.progress import step
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
        ("classify", "bundle", "a.jpg", "--top-k", "0"),
        ("classify", "bundle", "a.jpg", "--top-k=-3"),
        ("evaluate-matching", "bundle", "pairs.csv", "--max-bad", "5"),
        ("promote", "bundle", "http://127.0.0.1:9", "--wait", "0"),
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


def write_photo(path: Path) -> None:
    from tests.colours import colour_photo

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(colour_photo("Warm/Red"))


def test_ctrl_c_leaves_with_130_and_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("catalens.sample.draw_shop", stopped)
    assert run("sample", tmp_path / "shop") == 130
    assert capsys.readouterr().err.endswith("Stopped.\n")


def test_a_stopped_import_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inference.importer.import_manifest", stopped)
    write_photo(tmp_path / "shop" / "A" / "1.jpg")
    assert run("import", tiny_bundle, tmp_path / "shop", tmp_path / "catalog") == 130
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "Stopped. Run it again: it goes on where it was."


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit])  # the latter is Ray Train's
def test_a_stopped_training_says_how_it_goes_on(
    how: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise how

    monkeypatch.setattr("train.training.train", stopped)
    write_photo(tmp_path / "a shop" / "A" / "1.jpg")
    asked = ("train", tmp_path / "a shop", "--run", tmp_path / "run")
    assert run(*asked) == 130
    assert "start it again" in capsys.readouterr().err
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.json").touch()
    assert run(*asked) == 130
    command = f"catalens train '{tmp_path}/a shop' --run {tmp_path}/run --resume"
    assert capsys.readouterr().err == f"Stopped. `{command}` goes on.\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--budget", "0m"), "--budget: 0m leaves no time to train."),
        (("--budget=-5m",), "--budget: -5m leaves no time to train."),
        (("--budget", "-5m"), "--budget: -5m leaves no time to train."),
        (("--budget", "soon"), "--budget: 'soon' is no time span."),
        (("--epochs", "-2"), "--epochs: it is -2. Give 1 or more."),
        (("--epochs", "0"), "--epochs: it is 0. Give 1 or more."),
        (("--folds", "1"), "--folds: it is 1. Give 2 or more."),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_anything_is_written(
    flags: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photo(tmp_path / "shop" / "A" / "1.jpg")
    assert run("train", tmp_path / "shop", "--run", tmp_path / "run", *flags) == 1
    assert capsys.readouterr().err.startswith(said)
    assert not (tmp_path / "run").exists()


def test_a_wrong_path_is_told_before_what_takes_seconds_is_imported(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    heavy = {"torch", "ray", "lancedb"}
    wrong = (
        ["train", "nowhere.csv", "--run", "run"],
        ["serve", "nowhere"],
        ["export", "nowhere", "bundle"],
        ["export", str(tmp_path), str(tiny_bundle)],
    )
    for loaded in modules_after(*wrong):
        assert loaded & heavy == set()


def test_each_step_that_takes_long_is_a_line_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with step("Tracing [the graph]") as tell:
        assert capsys.readouterr().err == "Tracing [the graph].\n"
        tell("Measuring it")
        assert capsys.readouterr().err == "Measuring it.\n"
    assert capsys.readouterr().err == ""


def test_an_export_of_another_kind_is_no_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "export.csv"
    table.write_text("id,category\n")
    assert run("label-import", "http://127.0.0.1:9", table) == 1
    assert capsys.readouterr().err == f"{table}: it is not JSON. Export the project as JSON.\n"


def test_batch_prints_its_own_words_and_none_of_rays(tiny_bundle: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "1.jpg")
    rows = "id,image,name\np1,1.jpg,Paint\np1,1.jpg,Another\n"
    (tmp_path / "shop.csv").write_text(rows)
    asked = ("batch", tiny_bundle, tmp_path / "shop.csv", tmp_path / "out")
    flags = ("--max-bad", "0.5", "--bad-rows", tmp_path / "bad.csv")
    command = [sys.executable, "-m", "catalens.cli", *map(str, (*asked, *flags))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{tmp_path / 'out'} holds 1 row.\n"
    assert ran.stderr == f"1 row was skipped; {tmp_path / 'bad.csv'} lists it.\n"


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
    return [set(line.split("|")) for line in ran.stderr.splitlines() if "|" in line]


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
