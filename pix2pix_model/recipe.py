"""A recipe: everything that decides a training run, as data. Reading, checking and writing it; no torch in here.

Defaults are those of the authors' PyTorch code (junyanz/pytorch-CycleGAN-and-pix2pix). Where their Torch code
(phillipi/pix2pix), which the paper's figures come from, does otherwise, the description of the field says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from pix2pix_model.picture_size import PictureSize, Size

__all__ = [
    "ColorSpaceName",
    "DataSettings",
    "DeviceName",
    "Direction",
    "DiscriminatorSettings",
    "GeneratorSettings",
    "LogSettings",
    "LossSettings",
    "NormName",
    "PrecisionName",
    "Recipe",
    "ResizeName",
    "Side",
    "TrainSettings",
    "ValidationSettings",
    "sides_read",
    "task_in_words",
    "to_toml",
]

DeviceName: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName: TypeAlias = Literal["auto", "float32", "bf16", "fp16"]
Side: TypeAlias = Literal["A", "B"]
Direction: TypeAlias = Literal["AtoB", "BtoA"]
ColorSpaceName: TypeAlias = Literal["rgb", "lab"]
NormName: TypeAlias = Literal["batch", "instance", "sync", "none"]
ResizeName: TypeAlias = Literal["bicubic", "linear"]


def sides_read(direction: Direction, color_space: ColorSpaceName) -> tuple[Side, ...]:
    """Say which sides of a pair are used, the condition first; one alone where it is a part of the target."""
    if color_space == "lab":
        return ("B",)
    return ("A", "B") if direction == "AtoB" else ("B", "A")


def task_in_words(direction: Direction, color_space: ColorSpaceName) -> str:
    """Say what is made of what, for messages."""
    return direction if color_space == "rgb" else "lightness to colours of B"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataSettings(_Section):
    """Which pairs, and what is done to them."""

    path: Annotated[Path, Field(strict=False, description="Folder of the paired dataset.")]
    source: Annotated[str, Field(description="How to get that dataset; shown when the folder is not there.")] = ""
    direction: Annotated[
        Direction, Field(description='Which side is given: "AtoB" makes B from A, "BtoA" A from B.')
    ] = "AtoB"
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
    color_space: Annotated[
        ColorSpaceName,
        Field(
            description='"rgb" makes B from A; "lab" colours: makes a and b of CIE Lab from the lightness of B, '
            "and leaves A aside."
        ),
    ] = "rgb"

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that are read, the condition first; one where it is a part of the target."""
        return sides_read(self.direction, self.color_space)

    @field_validator("crop_size")
    @classmethod
    def _fits(cls, crop_size: PictureSize, info: ValidationInfo) -> PictureSize:
        load_size = info.data.get("load_size", crop_size)
        if crop_size.height > load_size.height or crop_size.width > load_size.width:
            raise ValueError(f"should be at most data.load_size ({load_size}), not {crop_size}")
        return crop_size

    @field_validator("color_space")
    @classmethod
    def _colours_b(cls, color_space: str, info: ValidationInfo) -> str:
        if color_space == "lab" and info.data.get("direction") == "BtoA":
            raise ValueError('"lab" colours side B; leave data.direction at "AtoB"')
        return color_space


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
        text = value.as_posix() if isinstance(value, Path) else value
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, PictureSize):
        return str(value.as_number)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return repr(value)
