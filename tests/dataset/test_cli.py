from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import pix2pix_data
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import FormatError, MissingExtraError, P2PError, UsageError
from pix2pix_data.images import write_png
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.registry import Registry

PACKAGE = Path(pix2pix_data.__file__).parent


def test_the_whole_way_from_photos_to_a_dataset(photos, p2p_data, tmp_path):
    done = p2p_data("colorize", photos, "--size", "48x32", "--val", "2", "--test", "3", "--workers", "1")
    assert done.returncode == 0, done.stderr
    out, err = done.stdout.splitlines(), done.stderr.splitlines()
    assert err[0] == f"colorize: {photos} (12 pairs: 7 train, 2 validation, 3 test) -> photos-colorize"
    assert out[0].startswith("12 pairs (7 train, 2 validation, 3 test), 0 failed, in ")
    assert out[1] == "look at photos-colorize/report.html, or at photos-colorize/preview.png"
    assert out[2] == "next: p2p-train recipes/colorize.toml --set data.path=photos-colorize"
    card = (tmp_path / "photos-colorize" / "README.md").read_text()
    assert "p2p-data colorize photos --size 48x32 --val 2.0 --test 3.0" in card
    assert str(tmp_path) not in card


def test_datasets_loads_what_was_made(photos, p2p_data, tmp_path):
    assert p2p_data("kmeans", photos, "--size", "48x32", "--group", "file").returncode == 0
    code = (
        "import json, os\n"
        "from datasets import load_dataset\n"
        "whole = load_dataset('photos-kmeans')\n"
        "first = whole['train'][0]\n"
        "streamed = list(load_dataset('photos-kmeans', split='test', streaming=True))[0]\n"
        "print(json.dumps({'splits': {s: d.num_rows for s, d in whole.items()},\n"
        "  'columns': whole['train'].column_names,\n"
        "  'a': [first['imageA'].mode, first['imageA'].size], 'b': [first['imageB'].mode, first['imageB'].size],\n"
        "  'streamed': streamed['imageA'].size, 'key': first['key']}), flush=True)\n"
        # pyarrow reads ahead in threads, and now and then aborts a process that ends by itself after streaming
        "os._exit(0)\n"
    )
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "splits": {"train": 10, "validation": 1, "test": 1},
        "columns": ["imageA", "imageB", "key", "group"],
        "a": ["RGB", [48, 32]],
        "b": ["RGB", [48, 32]],
        "streamed": [48, 32],
        "key": "left/01",
    }


def test_dry_run_writes_nothing(photos, p2p_data, tmp_path):
    done = p2p_data("colorize", photos, "--dry-run")
    assert done.returncode == 0
    assert "12 pairs" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_dry_run_groups_what_gives_no_pair_by_its_reason(photos, draw, p2p_data):
    for i in range(12):
        write_png(photos.parent / "A" / f"x{i}.png", draw(i))
    write_png(photos.parent / "A" / "00.png", draw(0))
    done = p2p_data("combine", "A", photos / "right", "--dry-run")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    first = lines.index("  12 x no picture of this name in B")
    assert lines[first + 1] == "      A/x0.png"
    assert lines[first + 6] == "      ..."
    assert lines[first + 7] == "  5 x no picture of this name in A"


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("empty", "this folder is empty", "name a folder with pictures in it"),
        ("text", "none of the files here is a picture, such as notes.txt", "name a folder with pictures in it"),
        ("photos.zip", "this is a file, not a folder", "unpack it, and name the folder that holds the photos"),
    ],
)
def test_what_is_no_folder_of_photos_is_told_with_a_way_out(name, what, fix, p2p_data, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("shot in May")
    (tmp_path / "photos.zip").write_bytes(b"PK")
    done = p2p_data("colorize", name)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"error: {what}", f"where: {name}", f"to do: {fix}"]


def test_a_named_error_has_three_lines_and_exit_code_1(p2p_data):
    done = p2p_data("colorize", "nowhere")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: there is no such folder",
        "where: nowhere",
        "to do: name the folder that holds the photos",
    ]


@pytest.mark.parametrize("arguments", [("--size", "huge"), ("--fit", "squash"), ("--val", "-1"), ("--no-such",)])
def test_wrong_usage_is_exit_code_2(photos, p2p_data, arguments):
    done = p2p_data("colorize", photos, *arguments)
    assert done.returncode == 2
    assert arguments[0] in done.stderr


def test_a_wrong_setting_is_told_as_it_was_typed(photos, p2p_data):
    done = p2p_data("inpaint", photos, "--mask", "holes")
    assert done.returncode == 2
    assert "--mask: neither center nor random, and there is no such folder (given 'holes')" in done.stderr


def test_too_many_failed_photos_are_exit_code_3(photos, p2p_data):
    for i in range(3):
        (photos / f"broken{i}.jpg").write_bytes(b"no")
    assert p2p_data("colorize", photos).returncode == 3
    assert p2p_data("colorize", photos, "--max-failed", "0.5").returncode == 0


def test_output_in_the_folder_of_photos_is_refused(photos, p2p_data):
    done = p2p_data("colorize", photos, "--out", photos / "pairs")
    assert done.returncode == 1
    assert "in the folder of photos" in done.stderr


def test_a_folder_that_cannot_be_written_to_is_a_named_error(photos, p2p_data, tmp_path):
    (tmp_path / "file").write_text("")
    done = p2p_data("colorize", photos, "--out", "file/pairs")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == ["error: Not a directory", "where: file/pairs/.build"]


def test_sample_writes_photos_that_build(p2p_data, tmp_path):
    assert p2p_data("sample", "photos", "--crop", "180").returncode == 0
    assert p2p_data("sample", "photos", "--crop", "180").returncode == 0, "a second time is no error"
    for half in ("left", "right"):
        assert len(list((tmp_path / "photos" / "chelsea" / half).glob("*.png"))) >= 50
    # As the last line of `sample` says, but for the edges, which take longer to draw.
    done = p2p_data("colorize", "photos/chelsea", "--size", "64", "--group", "folder", "--val", "0.5", "--test", "0")
    assert done.returncode == 0, done.stderr
    groups = [
        {pair.group for pair in open_dataset(tmp_path / "chelsea-colorize").encoded_pairs(split)}
        for split in ("train", "validation")
    ]
    assert sorted(map(min, groups)) == ["left", "right"]
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"")
    assert p2p_data("sample", "photos").returncode == 1


OTHER_COMMANDS = "check export fetch finish import push report sample show split strokes".split()


HELP = """
import contextlib, io, json, sys
from pix2pix_data.cli import app
told = {}
for command in sys.argv[1:]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        app([command, "--help"] if command else ["--help"])
    heavy = {"torch", "onnxruntime", "datasets", "sklearn", "skimage", "numpy", "cv2", "pyarrow"} & set(sys.modules)
    told[command] = [out.getvalue(), sorted(heavy)]
print(json.dumps(told))
"""


def test_every_help_shows_an_example_and_loads_nothing_heavy():
    commands = ["", *PAIR_MAKERS.names(), *OTHER_COMMANDS]
    done = subprocess.run([sys.executable, "-c", HELP, *commands], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command, (text, heavy) in json.loads(done.stdout).items():
        assert not heavy, f"p2p-data {command} --help loads {heavy}"
        assert "Examples:" in text
        assert f"p2p-data {command}".strip() in text


def test_a_list_of_the_makers_imports_none_of_them():
    code = (
        "import sys; from pix2pix_data.makers import PAIR_MAKERS, SIDES\n"
        "assert PAIR_MAKERS.names() == list(SIDES); assert 'pydantic' not in sys.modules\n"
        "from pix2pix_data.cli import app\n"
        "try: app(['--help'])\n"
        "finally: assert 'pydantic' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in PAIR_MAKERS.names():
        assert f"{name:8}  {PAIR_MAKERS.get(name).sides()}" in done.stdout


# --- how the house is built


def test_errors_survive_a_process_boundary():
    import pickle

    for error in (FormatError("wrong", where="here", fix="mend"), MissingExtraError("ray", "ray")):
        copy = pickle.loads(pickle.dumps(error))
        assert isinstance(copy, P2PError)
        assert str(copy) == str(error)


def test_registry_names_the_nearest():
    table = Registry[int]("colour", "no.such.group")
    table.register("turquoise")(1)
    with pytest.raises(UsageError, match="did you mean 'turquoise'"):
        table.get("turqoise")


def test_registry_loads_what_another_package_adds_when_it_is_asked_for(monkeypatch, tmp_path):
    (tmp_path / "shades.py").write_text("dark = 5\n")
    info = tmp_path / "shades-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shades\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[test.shades]\ndark = shades:dark\n")
    monkeypatch.syspath_prepend(tmp_path)
    table = Registry[int]("shade", "test.shades")
    table.register("light")(1)
    assert table.names() == ["light", "dark"]
    assert "shades" not in sys.modules
    assert table.get("dark") == 5


FLOORS = [
    {
        "errors",
        "registry",
        "atomic",
        "cache_folder",
        "pair",
        "listing",
        "matching",
        "console",
        "disjoint_sets",
        "processes",
        "memory",
        "limits",
        "findings",
        "new_folder",
        "one_at_a_time",
        "arrow_arrays",
        "parquet_files",
        "unchanged",
        "unfinished",
        "tensor_files",
        "mends",
        "ordered_work",
        "urls",
        "object_store",
        "mirror",
    },
    {"png", "images", "srgb", "channel_kinds", "channels", "maker", "plans", "palette_file", "known_labels"},
    {
        "dataset",
        "shards",
        "stored_dataset",
        "damaged_pairs",
        "classic",
        "palette",
        "k_means",
        "color_table",
        "regions",
        "label_colors",
        "label_map",
        "sheet",
    }
    | {"edges", "scenes", "terminal_pictures", "side_facts"},
    {"splits", "makers", "engines", "preview", "report", "show", "card", "sample", "provenance"}
    | {"split_lock", "grouping", "photo_prints", "print_likeness", "near_duplicates", "layouts", "export", "redraw"},
    {"build", "build_claim", "build_options", "closing", "resplit", "check", "checks", "fixes", "importing"}
    | {"hub", "hub_files", "hub_push", "hub_faults", "pushing", "publishing", "fetching", "public_sets"},
    {
        "_options",
        "_store_paths",
        "_command",
        "_maker_commands",
        "_finish_command",
        "_check_command",
        "_hub_commands",
        "_layout_commands",
        "_show_commands",
        "cli",
    }
    | {"__main__"},
]


def test_imports_run_down_the_floors():
    floor_of = {name: i for i, names in enumerate(FLOORS) for name in names}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if room == "__init__":
            continue
        for module in imported(path):
            assert not module.startswith("pix2pix_model"), f"{path} imports the upper floor"
            if module.startswith("pix2pix_data.") and (other := module.split(".")[1]) != "__version__":
                allowed = (room, other) in {("build", "provenance"), ("provenance", "build")}
                assert allowed or floor_of[other] <= floor_of[room], f"{room} imports {other}, which stands above it"


def test_makers_know_neither_dataset_nor_command_line():
    for path in (PACKAGE / "makers").glob("*.py"):
        rooms = {module.split(".")[1] for module in imported(path) if module.startswith("pix2pix_data.")}
        assert rooms.isdisjoint({"dataset", "build", "cli", "classic", "splits", "card", "report"})


def imported(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules
