"""What the edge maker makes of photos: each photo, its soft map, and its strokes, on one sheet to look at.

    python benchmarks/edge_sheet.py --out docs/edges.jpg
    python benchmarks/edge_sheet.py ../shared/data/shoes ../shared/data/facades/test --out edges.jpg

Without photos of your own, it takes those that scikit-image and scikit-learn ship. No detector of ours has seen them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pix2pix_data.atomic import write_file
from pix2pix_data.edges.detector import make_detector
from pix2pix_data.edges.strokes import draw_strokes, strokes
from pix2pix_data.images import encode_jpeg, fit_to, read_rgb
from pix2pix_data.listing import list_photos
from pix2pix_data.makers.edges import EdgesMaker
from pix2pix_data.sheet import draw_sheet

SHIPPED = (
    *(
        ("skimage", name)
        for name in ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
    ),
    *(("skimage", name) for name in ("camera.png", "coins.png", "horse.png", "retina.jpg", "clock_motion.png")),
    *(("sklearn", name) for name in ("china.jpg", "flower.jpg")),
)


def shipped() -> Iterator[Path]:
    """Find the photos that our dependencies ship."""
    for package, name in SHIPPED:
        spec = find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        yield next(Path(spec.submodule_search_locations[0]).rglob(name))


def chosen(sources: list[Path], num: int) -> Iterator[Path]:
    """Spread the choice evenly over the sources, and over the photos of each."""
    each = -(-num // len(sources))
    for source in sources:
        photos = list_photos(source).photos
        yield from photos[:: max(1, len(photos) // each)][:each]


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a sheet of photos, soft maps and strokes.")
    parser.add_argument("photos", nargs="*", type=Path, help="files or folders")
    parser.add_argument("--out", type=Path, default=Path("edges.jpg"), help="a JPEG file")
    parser.add_argument("--num", type=int, default=12)
    parser.add_argument("--detector", default=EdgesMaker().detector)
    options = parser.parse_args()
    see = make_detector(options.detector)
    paths = list(chosen(options.photos, options.num) if options.photos else shipped())[: options.num]
    groups = []
    for path in paths:
        photo = fit_to(read_rgb(path), 256, 256, "crop")
        soft = see([photo])[0]
        gray = np.repeat((255 * (1 - soft)).round().astype(np.uint8)[:, :, None], 3, axis=2)
        groups.append((photo, gray, draw_strokes(strokes(soft))))
    sheet = draw_sheet(groups, ("photo", "soft map", "strokes"), [path.name for path in paths])
    write_file(options.out, encode_jpeg(sheet))


if __name__ == "__main__":
    main()
