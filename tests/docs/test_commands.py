"""Every command that a page tells is run, in a folder with what the page names; or its options are read."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import shutil
import sys
import tomllib
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

os.environ["P2P_CACHE"] = ""  # tests leave nothing in the user's cache

import pytest
import torch
import typer
import typer.main
from page_inputs import TRAIN_QUICKLY, write_models, write_photos
from pages import OURS, PAGES, ROOT, Line, lines, read_line, snippets, within_text

from pix2pix_data import cli
from pix2pix_data.console import exit_with_errors_told
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_model import cli_model, cli_train
from pix2pix_model.recipe_file import load_recipe

APPS = {"p2p-data": cli.app, "p2p-train": cli_train.app, "p2p-model": cli_model.app}

ONLY_READ = {
    r" \S*s3://": "an object store: tests/store runs them against one on loopback",
    r"p2p-data (push|fetch) |p2p-model (push|pull) ": "a hub: tests/hub runs them against one on loopback",
    r"p2p-model paint ": "serves until Ctrl-C: tests/browser paints on it",
    r"p2p-model export ": "takes seconds: one is in the kitchen; tests/trainer/test_export.py and test_page_export.py",
    r"--segmenter train": "trains for minutes: tests/trainer/test_segmenter.py shortens it",
    r"--detector hed": "weights of others: tests/dataset/test_hed_setting.py writes some",
    r"p2p-model import |^p2p-model translate facades_label2photo": "likewise: tests/trainer/test_import_weights.py",
    r"--also ./hints": "a model of two inputs: tests/trainer/test_translate.py trains one",
    r" /shared/": "a folder that machines share: tests/dataset/test_array_jobs.py shares one out",
}
"""Commands of ours whose options are read and no more, each with the reason."""

ELSEWHERE = {"extending.md"}
"""Pages whose commands another test runs: tests/docs/test_extending.py."""

ADDED = {
    rf"p2p-data ({'|'.join(PAIR_MAKERS.names())}) ": "--workers 1 --out made",
    rf"p2p-data ({'|'.join(set(PAIR_MAKERS.names()) - {'daynight'})}) ": "--size 48",
    r"p2p-data split ": "--val 2 --test 2",
    r"p2p-train --resume ": "--set train.max_steps=3",
    r"p2p-train (?!--list|--resume)": " ".join(f"--set {one}" for one in TRAIN_QUICKLY),
}
"""What commands get besides, so that they take a second: of an option given twice, the last counts."""

NOT_OURS = {
    "make": lambda words: all(f"\n{name}:" in (ROOT / "Makefile").read_text() for name in words[1:] if "=" not in name),
    "pip": lambda words: "install" in words and extras_exist(words),
    "git": lambda words: words[1] == "clone",
    "cd": lambda words: len(words) == 2,
    "python": lambda words: words[1] == "-m" or (ROOT / words[1]).is_file(),
    "python3": lambda words: words[1:3] == ("-m", "venv"),
    ".": lambda words: words[1].endswith("/bin/activate"),
    "sh": lambda words: (ROOT / words[1]).is_file(),  # tests/docs/test_examples.py runs it
    "SIZE=256": lambda words: (ROOT / words[words.index("sh") + 1]).is_file(),
    "tensorboard": lambda words: words[1] == "--logdir",
}
"""Commands of others: what can be said of each without running it."""

SHELL = re.compile(r"^(jobs=|head=|srun|sbatch|hf |npm |echo )")
"""Lines for schedulers and programs that are not here."""


def extras_exist(words: tuple[str, ...]) -> bool:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return all(name in extras for word in words for name in re.findall(r"\[(.*)\]", word))


def of_language(language: str) -> list[tuple[str, str]]:
    return [(page.name, body) for page in PAGES for body in snippets(page, language)]


@pytest.fixture(scope="module", autouse=True)
def no_worker_processes() -> Iterator[None]:
    """Start no processes unless --workers asks for them: each takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pix2pix_data.limits.num_processors", lambda: 1)
        yield


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Everything that the pages name, made once; nobody works in it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("kitchen")
    write_photos(folder, tmp_path_factory.mktemp("sample") / "sample")
    write_models(folder, lambda text: ended_well(read_line("kitchen", text), folder))
    yield folder
    torch.set_num_threads(before)


@pytest.fixture
def folder(kitchen: Path, tmp_path: Path) -> Path:
    """Give a copy of the kitchen to work in: by links, as our commands never write into a file that is there."""
    return Path(shutil.copytree(kitchen, tmp_path / "work", copy_function=os.link))


def ours() -> list[Line]:
    told = {line.words: line for line in lines() if line.words[0] in OURS and line.page not in ELSEWHERE}
    return list(told.values())


def is_run(line: Line) -> bool:
    return not any(re.search(pattern, line.text) for pattern in ONLY_READ)


@pytest.mark.parametrize("line", [line for line in ours() if is_run(line)], ids=str)
def test_a_command_does_what_the_page_says(line, folder):
    added = " ".join(more for pattern, more in ADDED.items() if re.match(pattern, f"{line.text} "))
    if "--out" in line.words:
        shutil.rmtree(folder / line.words[line.words.index("--out") + 1], ignore_errors=True)
        added = added.replace("--out made", "")
    ended_well(dataclasses.replace(line, words=(*line.words, *added.split())), folder)


@pytest.mark.parametrize("line", [line for line in ours() if not is_run(line)], ids=str)
def test_a_command_that_is_not_run_can_be_read(line):
    words = [re.sub(r"\$\w+", "1", word) for word in line.words]
    command = typer.main.get_command(APPS[words[0]])
    if not hasattr(command, "commands"):  # p2p-train has one alone
        command.make_context(words[0], words[1:])
        return
    with typer.Context(command) as context:
        command.commands[words[1]].make_context(words[1], words[2:], parent=context)


@pytest.mark.parametrize("line", {line.words: line for line in within_text()}.values(), ids=str)
def test_options_within_the_text_exist(line):
    command = typer.main.get_command(APPS[line.words[0]])
    if line.words[0] != "p2p-train" and not line.words[1].startswith("-"):
        assert line.words[1] in command.commands, f"there is no {' '.join(line.words[:2])}"
        command = full_command(command.commands[line.words[1]])
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in line.words if word.startswith("--")} <= {*known, "--help"}


def full_command(command):
    """Return a command with its options: that of a maker has them only when it is used."""
    if command.name not in PAIR_MAKERS.names():
        return command
    return command.make_context(command.name, ["."] * 2, resilient_parsing=True).command


@pytest.mark.parametrize("line", [line for line in lines() if line.words[0] not in OURS], ids=str)
def test_a_command_of_others_can_be(line):
    if SHELL.match(line.text):
        return
    if line.words[0] == "torchrun":
        at = line.words.index("pix2pix_model")
        typer.main.get_command(cli_train.app).make_context("p2p-train", [*line.words[at + 1 :]])
        return
    assert line.words[0] in NOT_OURS, "say in this test what can be known of such a command"
    assert NOT_OURS[line.words[0]](line.words)


@pytest.mark.parametrize(("page", "code"), of_language("python"))
def test_python_on_a_page_runs(page, code, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "the_page", module := types.ModuleType("the_page"))  # where its classes are
    made = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    vars(module).update(made=made, real=made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        exec(compile(code, page, "exec"), vars(module))


@pytest.mark.parametrize(("page", "text"), of_language("toml"))
def test_toml_on_a_page_is_valid(page, text, folder):
    table = tomllib.loads(text)
    if "names" in table or "project" in table:  # not a recipe
        return
    (folder / "page.toml").write_text(text)
    load_recipe(folder / "page.toml")


@pytest.mark.parametrize("pattern", ONLY_READ)
def test_what_is_not_run_is_told_somewhere(pattern):
    assert any(re.search(pattern, line.text) for line in ours()), "nothing is excused by this any more"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_marked_as_such(page):
    for block in snippets(page, "", "text", "python"):
        assert not re.search(r"^\s*(p2p-\w+ |make \w|pip install)", block, re.MULTILINE), f"mark as sh: {block}"


def ended_well(line: Line, folder: Path) -> None:
    """Run a line of ours in this process, as a shell in `folder` would: a new one takes seconds to start."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    given = (folder / line.stdin).read_bytes() if line.stdin else b""
    code = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(standard_input(given))
        try:
            exit_with_errors_told(lambda: APPS[line.words[0]]([*line.words[1:]], prog_name=line.words[0]))
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        out.flush()
        told = out.buffer.getvalue()
        if line.stdout:
            Path(line.stdout).write_bytes(told)
            assert told
    assert code == 0, f"{' '.join(line.words)}\n{told.decode(errors='replace')}\n{err.getvalue()}"


@contextlib.contextmanager
def standard_input(given: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before
