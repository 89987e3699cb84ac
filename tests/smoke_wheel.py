"""Build the wheel, install it away from the source tree, and use it from another folder.

The dependencies are those of the environment that runs this script: only our own two packages come from the wheel.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT, cwd=folder)
        (wheel,) = (folder / "dist").glob("*.whl")
        site = folder / "site"
        run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel, cwd=folder)
        os.environ["PYTHONPATH"] = str(site)
        where = run("-c", "import pix2pix_data, pix2pix_model; print(pix2pix_data.__file__)", cwd=folder)
        assert where.strip().startswith(str(site)), f"the wheel is not what is imported: {where}"
        run("-m", "pix2pix_data", "sample", "photos", cwd=folder)
        run("-m", "pix2pix_data", "edges", "photos/chelsea", "--size", "64", "--limit", "20", cwd=folder)
        run("-m", "pix2pix_data", "report", "chelsea-edges", "--no-check", cwd=folder)  # reads files beside the code
        steps = ("--set", "train.max_steps=2", "--set", "log.samples_every=1")
        run("-m", "pix2pix_model", "recipes/quickstart.toml", *steps, cwd=folder)
        run("-m", "pix2pix_model", "ablations/patch-16", "--dry-run", "--set", "data.path=chelsea-edges", cwd=folder)
        run("-m", "pix2pix_model.cli_model", "translate", "runs/0001-quickstart", "chelsea-edges", cwd=folder)
        assert (folder / "chelsea-edges-translated" / "sheet.png").is_file()
        run(
            "-c",
            "from pix2pix_model.paint.server import page_files as f; assert {'app.js', 'konva.min.js'} <= {*f()}",
            cwd=folder,
        )
        paint = site / "pix2pix_model" / "paint"
        assert (paint / "web" / "worker.js").is_file()
        assert not list(site.rglob("*.wasm")), "the browser's runtime is not ours to ship"
    sys.stdout.write("the wheel works from another folder\n")


def run(*arguments: object, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
