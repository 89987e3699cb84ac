"""Who may import whom: read from the source, held against the design."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
GROUND_FLOOR = {"atomic", "cache_folder", "channel_kinds", "channels", "console", "dataset", "errors", "images"}
GROUND_FLOOR |= {"limits", "listing", "memory", "new_folder", "pair", "png", "registry", "sheet", "stored_dataset"}
GROUND_FLOOR |= {"unfinished", "urls"}
CLASSES = {"label_map", "palette_file"}
"""Networks see classes as the makers read them from label maps."""
EVALUATION = {"color_table", "known_labels", "label_map", "palette_file", "report"}
"""Evaluation reads label maps as the makers do, and shows what it found on a page like the datasets'."""
GIVEN = {"redraw", "side_facts"}
"""What a model is given, and pictures of a user made into the same, are matters of the dataset."""
IMPORTED = {"tensor_files"}
"""Weights of others are read by one rule, of detectors and of generators."""
PUBLISHED = {"card", "hub", "hub_files", "hub_push", "layouts"}
"""Models go to the hub and come from it as datasets do: one commit, checksums, a licence that stays."""


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def modules(package: str) -> dict[str, Path]:
    paths = (ROOT / package).rglob("*.py")
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def test_the_trainer_stands_on_the_ground_floor_alone():
    for module, path in modules("pix2pix_model").items():
        used = {name.split(".")[1] for name in imports_of(path) if name.startswith("pix2pix_data.")}
        evaluates = module.startswith(("pix2pix_model.evaluation.", "pix2pix_model.gallery."))
        travels = module in ("pix2pix_model.model_push", "pix2pix_model.model_pull")
        also = (EVALUATION if evaluates else set()) | (PUBLISHED if travels else set())
        assert used <= GROUND_FLOOR | CLASSES | GIVEN | IMPORTED | also, module


def test_the_trainer_has_no_cycle():
    known = modules("pix2pix_model")
    graph = {name: (imports_of(path) & known.keys()) - {name} for name, path in known.items()}
    for name in graph:  # a package's __init__ gathers its modules: not a cycle
        graph[name] = {other for other in graph[name] if not name.startswith(f"{other}.")}
    assert list(TopologicalSorter(graph).static_order())


def test_networks_and_losses_know_nothing_of_training():
    for name, path in modules("pix2pix_model").items():
        if name.startswith("pix2pix_model.nets") or name == "pix2pix_model.losses":
            ours = {other for other in imports_of(path) if other.startswith("pix2pix_model.")}
            assert all(other.startswith("pix2pix_model.nets") for other in ours)


def test_the_command_line_is_imported_by_none():
    for name, path in modules("pix2pix_model").items():
        if name != "pix2pix_model.__main__":
            assert not {other for other in imports_of(path) if other.startswith("pix2pix_model.cli_")}
