"""How a loaded model is told to behave: its test time, and norms measured anew on pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

from torch import Tensor, nn

from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.pair import Failed
from pix2pix_model.checkpoint import Model
from pix2pix_model.generation import given_to, padded_size
from pix2pix_model.inputs import Source
from pix2pix_model.nets.norms import BatchNorm
from pix2pix_model.test_time import NormStatistics, TestTime, recalibrate, set_test_time
from pix2pix_model.tiles import plan_tiles
from pix2pix_model.translate import Translator

__all__ = ["behaving", "calibrate"]

_MOST_PICTURES = 256  # a few hundred suffice: Wu and Johnson 2021, arXiv:2105.07576, section 3


def behaving(model: Model, *, norm_statistics: NormStatistics | None = None, dropout: bool | None = None) -> Model:
    """Let a model behave otherwise than it says of itself.

    Parameters
    ----------
    model : Model
        Its generator is changed.
    norm_statistics : {"batch", "running", "recalibrated"}, optional
    dropout : bool, optional

    Returns
    -------
    Model
        With its `config.test_time` as asked for.

    Raises
    ------
    UsageError
        If there is nothing that could behave so.
    """
    modules = list(model.generator.modules())
    if norm_statistics is not None and not any(isinstance(module, BatchNorm) for module in modules):
        raise UsageError(
            "this model has no batch norms, whose statistics could be chosen", fix="leave out --norm-stats"
        )
    if dropout and not any(isinstance(module, nn.Dropout) and module.p > 0 for module in modules):
        raise UsageError("this model was built without dropout", fix="leave out --dropout")
    own = model.config.test_time
    test_time = TestTime(
        norm_statistics=norm_statistics or own.norm_statistics, dropout=own.dropout if dropout is None else dropout
    )
    set_test_time(model.generator, test_time)
    return replace(model, config=model.config.model_copy(update={"test_time": test_time}))


def calibrate(translator: Translator, source: Source) -> int:
    """Measure the statistics of a model's batch norms on pictures, as `recalibrate` does, and let it use them.

    Parameters
    ----------
    translator : Translator
        Its generator is changed in its buffers.
    source : Source
        Its first 256 pictures are taken, read as those to translate are; those of a dataset are prepared already.

    Returns
    -------
    int
        How many were taken.

    Raises
    ------
    ImageError
        If none can be read.
    """
    failures: list[Failed] = []
    num, most = 0, translator.most_pixels  # tried out before anything is measured

    def tensors() -> Iterator[Tensor]:
        nonlocal num
        batches = translator.read(source, failures, prepare=source.dataset is None)
        for read in islice(chain.from_iterable(batches), _MOST_PICTURES):
            num += 1
            whole = given_to(translator.generator, translator.views, read.given, translator.device)
            height, width = padded_size(translator.generator, *read.given[0].shape[:2])
            if height * width <= most:
                yield whole
                continue
            tiling = plan_tiles(translator.generator, height, width, most=most)
            for rows, columns in tiling.covering():
                yield whole[:, :, rows, columns]

    test_time = translator.config.test_time
    recalibrate(translator.generator, tensors())
    if not num:
        raise ImageError(f"no picture to measure statistics on: {failures[0].reason}", where=failures[0].source)
    set_test_time(translator.generator, test_time)
    return num
