"""A recipe: everything that decides a training run, as data. Reading, checking and writing it; no torch in here.

Defaults are those of the authors' PyTorch code (junyanz/pytorch-CycleGAN-and-pix2pix). Where their Torch code
(phillipi/pix2pix), which the paper's figures come from, does otherwise, the description of the field says so, and
references.py lists it. What neither code has is off, but for measuring on the validation split.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from pix2pix_data.urls import shown_place
from pix2pix_model.picture_size import PictureSize, Size

__all__ = [
    "DataSettings",
    "DeviceName",
    "Direction",
    "DiscriminatorSettings",
    "Further",
    "GeneratorSettings",
    "LogSettings",
    "LossSettings",
    "NormName",
    "PrecisionName",
    "Recipe",
    "ResizeName",
    "RunnerName",
    "Side",
    "SideView",
    "TrainSettings",
    "ValidationSettings",
    "to_toml",
]

DeviceName: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName: TypeAlias = Literal["auto", "float32", "bf16", "fp16"]
RunnerName: TypeAlias = Literal["auto", "eager", "compile", "graph"]
Side: TypeAlias = Literal["A", "B"]
Direction: TypeAlias = Literal["AtoB", "BtoA"]
SideView: TypeAlias = Literal["rgb", "rgb16", "gray", "gray16", "rgba", "rgba16", "classes", "lab"]
NormName: TypeAlias = Literal["batch", "instance", "sync", "none"]
ResizeName: TypeAlias = Literal["bicubic", "linear"]

_HIGHEST_LEVEL = 65535


@dataclass(frozen=True, slots=True)
class Further:
    """A side of another dataset, stacked behind the one that is given."""

    path: Path
    side: Side
    view: SideView


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataSettings(_Section):
    """Which pairs, and what is done to them."""

    path: Annotated[
        Path, Field(strict=False, description="Folder of the paired dataset, or its URL in an object store.")
    ]
    source: Annotated[str, Field(description="How to get that dataset; shown when the folder is not there.")] = ""
    direction: Annotated[
        Direction, Field(description='Which side is given: "AtoB" makes B from A, "BtoA" A from B.')
    ] = "AtoB"
    a_as: Annotated[
        SideView,
        Field(
            description='How networks see A: "rgb", "gray", "rgba" (with transparency), these with 16 (bits) at their '
            'end, or "classes" (a channel for each colour of palette.json).'
        ),
    ] = "rgb"
    b_as: Annotated[
        SideView,
        Field(
            description='How networks see B, likewise; "lab", of the side that is made: a and b of CIE Lab are made '
            "from its lightness, and the other side is left aside."
        ),
    ] = "rgb"
    levels: Annotated[
        tuple[int, int],
        Field(strict=False, description="Levels of gray16 and rgb16 that networks see as -1 and 1; others are cut."),
    ] = (0, 65535)
    also: Annotated[
        tuple[str, ...],
        Field(
            strict=False,
            description="Further inputs, stacked behind the first: sides of datasets with the same keys, such as "
            '"shoes-kmeans:A" or "shoes-kmeans:A as classes".',
        ),
    ] = ()
    load_size: Annotated[
        Size, Field(description="Pixels that both pictures are resized to: a side, or [height, width].")
    ] = PictureSize(286, 286)
    resize: Annotated[
        ResizeName,
        Field(description='How: "bicubic" as PyTorch; "linear" as Torch, with area means where a side shrinks.'),
    ] = "bicubic"
    crop_size: Annotated[
        Size, Field(description="Pixels that are cut at random from both at one place: a side, or [height, width].")
    ] = PictureSize(256, 256)
    cut_from: Annotated[
        Literal[0, 1], Field(description="First row and column that a cut may begin at: 0 in PyTorch, 1 in Torch.")
    ] = 0
    mirror: Annotated[bool, Field(description="Mirror both pictures left to right, half of the time.")] = True
    stream: Annotated[
        int,
        Field(
            ge=0,
            description="Pairs that are shuffled together while files are read one after the other, for datasets that "
            "neither memory nor disk holds; 0: all are decoded before the first step.",
        ),
    ] = 0

    @property
    def given_side(self) -> Side:
        """The side that the first input is read from; where the lightness of what is made is given, that is its own."""
        first: Side = "A" if self.direction == "AtoB" else "B"
        second: Side = "B" if self.direction == "AtoB" else "A"
        return second if "lab" in (self.a_as, self.b_as) else first

    @property
    def further(self) -> tuple[Further, ...]:
        """What `also` names."""
        return tuple(map(_parse_further, self.also))

    @field_validator("crop_size")
    @classmethod
    def _fits(cls, crop_size: PictureSize, info: ValidationInfo) -> PictureSize:
        load_size = info.data.get("load_size", crop_size)
        if crop_size.height > load_size.height or crop_size.width > load_size.width:
            raise ValueError(f"should be at most data.load_size ({load_size}), not {crop_size}")
        return crop_size

    @field_validator("a_as", "b_as")
    @classmethod
    def _makes_lab(cls, view: SideView, info: ValidationInfo) -> SideView:
        direction = info.data.get("direction")
        given = {"a_as": "AtoB", "b_as": "BtoA"}[info.field_name or ""]
        if view == "lab" and direction == given:
            raise ValueError(f'"lab" is for the side that is made, and data.direction is "{direction}"')
        return view

    @field_validator("levels")
    @classmethod
    def _rise(cls, levels: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= levels[0] < levels[1] <= _HIGHEST_LEVEL:
            raise ValueError(f"should be two levels from 0 to {_HIGHEST_LEVEL}, the lower one first, not {levels}")
        return levels

    @field_validator("stream")
    @classmethod
    def _is_of_one_dataset(cls, stream: int, info: ValidationInfo) -> int:
        if stream and info.data.get("also"):
            raise ValueError("should be 0, as data.also names further datasets, which have orders of their own")
        return stream

    @field_validator("also")
    @classmethod
    def _names_sides(cls, also: tuple[str, ...]) -> tuple[str, ...]:
        for text in also:
            _parse_further(text)
        return also


def _parse_further(text: str) -> Further:
    match = re.fullmatch(r"(.+):(A|B)(?: as (\w+))?", text)
    views = set(get_args(SideView)) - {"lab"}
    if match is None or (match[3] or "rgb") not in views:
        hint = f"; a side is seen as {', '.join(sorted(views))}"
        raise ValueError(f'should be like "shoes-kmeans:A" or "shoes-kmeans:A as classes", not {text!r}{hint}')
    return Further(Path(match[1]), "A" if match[2] == "A" else "B", cast("SideView", match[3] or "rgb"))


class GeneratorSettings(_Section):
    """The network that makes B from A."""

    name: Annotated[str, Field(description='Architecture: "unet", "encoder_decoder" or "resnet".')] = "unet"
    width: Annotated[int, Field(ge=1, le=1024, description="Channels of the first layer.")] = 64
    blocks: Annotated[
        int, Field(ge=1, le=32, description="Residual blocks of a resnet; 9 and 6 in the authors' PyTorch code.")
    ] = 9
    norm: Annotated[
        NormName, Field(description='"batch", "instance", "sync" (batches of all processes together) or "none".')
    ] = "batch"
    upsample: Annotated[
        Literal["transposed", "resize"],
        Field(description='"transposed" convolutions; "resize" then convolve leaves no checkerboard.'),
    ] = "transposed"
    dropout: Annotated[float, Field(ge=0, lt=1, description="Probability of dropout while training.")] = 0.5
    dropout_at: Annotated[
        Literal["pytorch", "torch"],
        Field(description='Decoder layers with dropout at 256 px: "pytorch" d2 d3 d4, "torch" (the paper) d1 d2 d3.'),
    ] = "pytorch"
    bias: Annotated[
        bool, Field(description="Convolutions have biases where PyTorch has them; Torch sets all to 0 at each step.")
    ] = True


class DiscriminatorSettings(_Section):
    """The network that tells real pairs from generated ones."""

    name: Annotated[str, Field(description="Architecture.")] = "patchgan"
    width: Annotated[int, Field(ge=1, le=1024, description="Channels of the first layer.")] = 64
    patch: Annotated[
        Literal[1, 16, 34, 70, 142, 286], Field(description="Side of the patch that each logit judges, in pixels.")
    ] = 70
    scales: Annotated[
        int, Field(ge=1, le=4, description="Discriminators, each at half the size of the one before (pix2pixHD).")
    ] = 1
    norm: Annotated[NormName, Field(description="As the generator's.")] = "batch"
    bias: Annotated[bool, Field(description="As the generator's.")] = True
    spectral_norm: Annotated[bool, Field(description="Hold every layer's largest gain at 1.")] = False


class LossSettings(_Section):
    """What the two networks pay for."""

    gan: Annotated[
        Literal["vanilla", "lsgan", "hinge", "none"],
        Field(description='Kind of GAN loss; "none" trains the generator on L1 alone.'),
    ] = "vanilla"
    conditional: Annotated[
        bool, Field(description="The discriminator sees A beside B (cGAN); else B alone (the paper's GAN).")
    ] = True
    l1: Annotated[float, Field(ge=0, description="Weight of the L1 distance beside the GAN loss; 0 for none.")] = 100.0
    feature_matching: Annotated[
        float, Field(ge=0, description="Weight of the distance between D's features of G(A) and B (pix2pixHD: 10).")
    ] = 0.0
    discriminator_factor: Annotated[
        float, Field(gt=0, description="Factor on the discriminator's loss: 0.5 in PyTorch and the paper, 1 in Torch.")
    ] = 0.5
    stale_logits: Annotated[
        bool, Field(description="G learns from D's logits of before D's update, as in Torch; PyTorch judges anew.")
    ] = False
    label_smoothing: Annotated[
        float, Field(ge=0, lt=0.5, description="What D's target for real pairs lacks to 1 (one-sided label smoothing).")
    ] = 0.0
    r1: Annotated[float, Field(ge=0, description="Weight of the R1 penalty on D's gradient at real B.")] = 0.0

    @field_validator("l1")
    @classmethod
    def _has_a_loss(cls, l1: float, info: ValidationInfo) -> float:
        if l1 == 0 and info.data.get("gan") == "none":
            raise ValueError('should be above 0, as loss.gan is "none": nothing else would be learned from')
        return l1


class TrainSettings(_Section):
    """How long, how fast, on what."""

    epochs: Annotated[int, Field(ge=1, description="Epochs at the full learning rate; 200 in Torch.")] = 100
    decay_epochs: Annotated[
        int, Field(ge=0, description="Further epochs while the rate falls linearly; none in Torch.")
    ] = 100
    batch: Annotated[int, Field(ge=1, description="Pairs in a step.")] = 1
    micro_batch: Annotated[
        int,
        Field(ge=0, description="Pairs that are computed at once, their gradients accumulated over the step; 0: all."),
    ] = 0
    order: Annotated[
        Literal["shuffled", "drawn"],
        Field(description='"shuffled": each pair once an epoch, as PyTorch; "drawn": any pair at any time, as Torch.'),
    ] = "shuffled"
    learning_rate: Annotated[float, Field(gt=0, le=1, description="Adam's learning rate, for both networks.")] = 2e-4
    beta1: Annotated[float, Field(ge=0, lt=1, description="Adam's decay of the mean.")] = 0.5
    beta2: Annotated[float, Field(ge=0, lt=1, description="Adam's decay of the square.")] = 0.999
    ema: Annotated[
        float,
        Field(ge=0, lt=1, description="Decay of the averaged generator that is kept in place of the last; 0: none."),
    ] = 0.0
    diff_augment: Annotated[
        tuple[Literal["color", "translation", "cutout"], ...],
        Field(strict=False, description="What D's pairs, real and generated, are augmented by; for small datasets."),
    ] = ()
    seed: Annotated[int, Field(ge=0, description="Decides weights, order, crops, mirroring and dropout.")] = 0
    max_steps: Annotated[int, Field(ge=0, description="End after so many steps; 0 leaves it to the epochs.")] = 0
    precision: Annotated[PrecisionName, Field(description='"auto" is bf16 (or fp16) on CUDA, else float32.')] = "auto"
    device: Annotated[DeviceName, Field(description='"auto" is CUDA, else MPS, else the CPU.')] = "auto"
    runner: Annotated[
        RunnerName,
        Field(
            description='"auto" is "eager". "graph" launches a step as one CUDA graph; "compile" compiles the networks.'
        ),
    ] = "auto"


class LogSettings(_Section):
    """What is written down, and how often."""

    metrics_every: Annotated[int, Field(ge=1, description="Steps between lines of metrics.jsonl.")] = 50
    samples_every: Annotated[int, Field(ge=1, description="Steps between sheets of samples.")] = 1000
    num_samples: Annotated[int, Field(ge=1, le=60, description="Pairs on a sheet.")] = 6
    checkpoint_minutes: Annotated[
        float, Field(ge=0, description="Minutes between checkpoints; 0 writes one after every step.")
    ] = 10.0


class ValidationSettings(_Section):
    """How the generator is measured while it trains, on pairs that it never trains on."""

    every: Annotated[
        int, Field(ge=0, description="Steps between measurements on the validation split; 0 for none.")
    ] = 1000
    num_pairs: Annotated[
        int, Field(ge=1, le=10_000, description="Pairs measured: always the same, spread over the split.")
    ] = 32
    best: Annotated[
        Literal["val_l1", "val_psnr", "val_ssim"],
        Field(description="The measure by which a checkpoint is kept as the best; all of them favour soft pictures."),
    ] = "val_l1"
    keep: Annotated[
        Literal["last", "best"],
        Field(description='Whose generator becomes model/: that of the "last" step, or of the "best" checkpoint.'),
    ] = "last"


class Recipe(_Section):
    """Everything that decides a run."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the run folder; else the file does."),
    ] = "pix2pix"
    data: DataSettings
    generator: GeneratorSettings = GeneratorSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
    loss: LossSettings = LossSettings()
    train: TrainSettings = TrainSettings()
    validation: ValidationSettings = ValidationSettings()
    log: LogSettings = LogSettings()

    @field_validator("train")
    @classmethod
    def _can_stream(cls, train: TrainSettings, info: ValidationInfo) -> TrainSettings:
        data = info.data.get("data")
        if data is not None and data.stream and train.order == "drawn":
            raise ValueError('order should be "shuffled", not "drawn": data.stream reads each file once an epoch')
        return train

    @field_validator("train")
    @classmethod
    def _can_accumulate(cls, train: TrainSettings, info: ValidationInfo) -> TrainSettings:
        loss = info.data.get("loss")
        if 0 < train.micro_batch < train.batch and loss is not None and loss.stale_logits:
            what = "loss.stale_logits needs all pairs of a step at once"
            raise ValueError(f"micro_batch should be 0, not {train.micro_batch}, as {what}")
        return train


def to_toml(recipe: Recipe) -> str:
    """Write a recipe with all its settings and what each means; `load_recipe` reads the same recipe back."""
    lines = [f"name = {_toml_value(recipe.name)}"]
    for section_name in Recipe.model_fields:
        section = getattr(recipe, section_name)
        if not isinstance(section, _Section):
            continue
        lines += ["", f"[{section_name}]"]
        for name, field in type(section).model_fields.items():
            lines.append(f"{name} = {_toml_value(getattr(section, name))}  # {field.description}")
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    if isinstance(value, (bool, str, Path)):  # JSON writes these as TOML does
        text = shown_place(value) if isinstance(value, Path) else value
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, PictureSize):
        return str(value.as_number)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return repr(value)
