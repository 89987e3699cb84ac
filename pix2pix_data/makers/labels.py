"""Label maps: class numbers or class colours that somebody has drawn, and the photos they belong to."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, field_serializer, field_validator

from pix2pix_data.errors import BuildError, ImageError
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.maker import LEARNED
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.makers.combine import TwoSidesMaker
from pix2pix_data.palette_file import Palette, fingerprint, palette_json, read_palette

if TYPE_CHECKING:
    from pix2pix_data.label_map import LabelPicture
    from pix2pix_data.pair import RGB, PairPlan

_MAX_MAPS = 128
_MAX_PIXELS = 1 << 26  # 256 MiB as colours and numbers


@PAIR_MAKERS.register("labels")
class LabelsMaker(TwoSidesMaker):
    """Pair label maps with photos of the same name: A is flat classes in one palette, B the photo.

    A may hold class numbers (gray or indexed pictures) or class colours, smeared by JPEG or not; it is never resized
    by mixing. Without --palette, the colours are counted in the maps themselves. All of it is written to palette.json.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data labels ./label_maps ./photos",
        "p2p-data labels ./masks ./photos --palette classes.toml --fit pad",
        "p2p-data labels ./facade_labels ./facades --palette facades",
    )

    palette: Path | None = Field(
        None,
        description=(
            f"The colours of the classes: a palette.json, TOML with a table [names] by #rrggbb, "
            f"or a known set ({', '.join(LABEL_PALETTES)}). Without, they are counted in the maps."
        ),
    )
    kind: Literal["auto", "index", "color"] = Field(
        "auto", description="What a pixel of A holds: the number of a class, or its colour."
    )
    fitted_palette: Palette | None = Field(None, json_schema_extra=LEARNED)
    by_index: bool = Field(False, json_schema_extra=LEARNED)
    has_void: bool = Field(False, json_schema_extra=LEARNED)

    @field_validator("palette")
    @classmethod
    def _is_there(cls, palette: Path | None) -> Path | None:
        if palette is not None and str(palette) not in LABEL_PALETTES and not palette.is_file():
            raise ValueError(f"there is no such file, nor is it one of {', '.join(LABEL_PALETTES)}")
        return palette

    @field_serializer("palette", when_used="json")
    def _as_provenance(self, palette: Path | None) -> str | None:
        return str(palette) if palette is None or str(palette) in LABEL_PALETTES else fingerprint(palette)

    def fitted(self, plans: Sequence[PairPlan]) -> Self:
        """Learn what the maps hold, and their colours where no palette says."""
        from pix2pix_data.label_map import learn_reading

        palette = None
        if self.palette is not None:
            palette = LABEL_PALETTES.get(str(self.palette)) or read_palette(self.palette)
        by_index = None if self.kind == "auto" else self.kind == "index"
        reading = learn_reading(self._sample(plans), palette, by_index)
        learned = {"fitted_palette": reading.palette, "by_index": reading.by_index, "has_void": reading.has_void}
        return self.model_copy(update=learned)

    @property
    def flat(self) -> bool:
        return True

    def read_a(self, path: str) -> tuple[RGB, None]:
        from pix2pix_data.color_table import paint_labels
        from pix2pix_data.label_map import Reading, labels_of, read_label_map

        assert self.fitted_palette is not None, "a maker is fitted before it makes pairs"
        labels = labels_of(read_label_map(path), Reading(self.fitted_palette, self.by_index, self.has_void))
        return paint_labels(labels, self.fitted_palette.colors), None

    def extra_files(self) -> dict[str, str]:
        return {} if self.fitted_palette is None else {"palette.json": palette_json(self.fitted_palette)}

    def _sample(self, plans: Sequence[PairPlan]) -> list[LabelPicture]:
        """Read maps drawn from the training split; one that cannot be read is reported later."""
        import numpy as np

        from pix2pix_data.label_map import read_label_map

        maps: list[LabelPicture] = []
        pixels_left = _MAX_PIXELS
        for i in np.random.default_rng(0).permutation(len(plans))[:_MAX_MAPS]:
            with contextlib.suppress(ImageError):
                maps.append(read_label_map(plans[i].sources[0]))
                pixels_left -= maps[-1].rgb.size // 3
            if pixels_left <= 0:
                break
        if not maps:
            raise BuildError(
                "no label map of the training split could be read to see what it holds",
                fix="mend or replace the maps; or give a --palette",
            )
        return maps
