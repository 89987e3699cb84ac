"""The colours that well-known sets of label maps use, with the names of their classes.

Only facts are here: which colour means what. Both were held against the label halves of the pix2pix versions of these
sets: the colours below, to 3 grey levels, are those of 99.9 % of the pixels that do not lie on a border.
"""

from __future__ import annotations

from pix2pix_data.palette_file import Palette

__all__ = ["LABEL_PALETTES"]

_FACADES = {  # classes in the order of the CMP Facade Database; colours as in pix2pix, where MATLAB's "jet" was used
    "background": (0, 0, 222),
    "facade": (0, 48, 255),
    "window": (0, 128, 255),
    "door": (0, 207, 255),
    "cornice": (32, 255, 224),
    "sill": (112, 255, 143),
    "balcony": (192, 255, 64),
    "blind": (255, 240, 0),
    "deco": (255, 159, 0),
    "molding": (255, 80, 0),
    "pillar": (255, 0, 0),
    "shop": (174, 0, 0),
}
_CITYSCAPES = {  # the 19 classes that are evaluated, in the order of their trainId; then the others
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
    "unlabeled": (0, 0, 0),
    "dynamic": (111, 74, 0),
    "ground": (81, 0, 81),
    "parking": (250, 170, 160),
    "rail track": (230, 150, 140),
    "guard rail": (180, 165, 180),
    "bridge": (150, 100, 100),
    "tunnel": (150, 120, 90),
    "caravan": (0, 0, 90),
    "trailer": (0, 0, 110),
}

LABEL_PALETTES = {
    name: Palette(tuple(classes.values()), names=tuple(classes), note=f"{name}: {source}")
    for name, classes, source in (
        ("facades", _FACADES, "classes of the CMP Facade Database (Tylecek 2012), colours of pix2pix"),
        ("cityscapes", _CITYSCAPES, "labels.py of cityscapesScripts (Cordts et al. 2016)"),
    )
}
"""Palettes by the name of their set."""
