"""What a run writes down while it trains: metrics.jsonl, TensorBoard, and sheets of samples."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from torch import nn

from pix2pix_data.atomic import write_file
from pix2pix_data.dataset import PairDataset
from pix2pix_data.errors import TrainingError
from pix2pix_data.images import write_png
from pix2pix_data.sheet import draw_sheet
from pix2pix_model.device import Device
from pix2pix_model.held_out import FixedPairs
from pix2pix_model.recipe import Recipe

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["RunLog", "Samples", "full_disk_told"]


@contextmanager
def full_disk_told(run_path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into an error that says what to do."""
    try:
        yield
    except OSError as error:
        fix = "make room, then give the same command again: it goes on from the last checkpoint, which is whole"
        raise TrainingError(f"cannot be written: {error.strerror or error}", where=run_path, fix=fix) from error


class RunLog:
    """metrics.jsonl and tensorboard/ of a run, cut back to the step that it continues from.

    Parameters
    ----------
    run_path : Path
    step : int
        Steps already done; what was logged after them is done again, and so removed.
    """

    def __init__(self, run_path: Path, step: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter  # takes seconds to import

        self._metrics_path = run_path / "metrics.jsonl"
        self._samples_dir = run_path / "samples"
        _cut_back(self._metrics_path, step)
        self._file = self._metrics_path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run_path / "tensorboard"), purge_step=step + 1)
        self._hook_before, threading.excepthook = threading.excepthook, _say_once

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        finally:
            self._board.close()
            threading.excepthook = self._hook_before

    def metrics(self, step: int, epoch: int, values: dict[str, float]) -> None:
        """Write one line, and the same to TensorBoard."""
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        self._file.write(json.dumps({"step": step, "epoch": epoch, **rounded}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def samples(self, step: int, sheet: RGB) -> None:
        """Write samples/000500.png, and the same to TensorBoard."""
        write_png(self._samples_dir / f"{step:06d}.png", sheet)
        self._board.add_image("samples", sheet, step, dataformats="HWC")

    def flush(self) -> None:
        """Bring everything to disk: a checkpoint is worth no more than the log up to it."""
        self._file.flush()
        self._board.flush()


def _say_once(failed: threading.ExceptHookArgs) -> None:
    """Keep quiet about a full disk in TensorBoard's thread: the next call here raises the same error."""
    if not isinstance(failed.exc_value, OSError):
        threading.__excepthook__(failed)


def _cut_back(path: Path, step: int) -> None:
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            break  # the half line of a killed run: nothing follows it
    write_file(path, "".join(kept))


class Samples:
    """The same few pairs again and again, with what the generator makes of them.

    They are spread evenly over the validation split, or over the training split where there is no other.

    Parameters
    ----------
    dataset : PairDataset
    recipe : Recipe
    """

    def __init__(self, dataset: PairDataset, recipe: Recipe) -> None:
        self.split = "validation" if "validation" in dataset.num_pairs else "train"
        self._pairs = FixedPairs(dataset, recipe, split=self.split, num=recipe.log.num_samples)

    def sheet(self, generator: nn.Module, device: Device) -> RGB:
        """Draw condition, generated and real side by side; the generator works as it will once trained."""
        columns = (*self._pairs.conditions(), self._pairs.pictures(generator, device), self._pairs.b)
        rows = [[side.numpy() for side in row] for row in zip(*columns, strict=True)]
        return draw_sheet(rows, self._pairs.titles, self._pairs.keys)
