"""Pairs that are decoded while training goes on, file after file: for datasets that neither memory nor disk holds.

The order is a function of (seed, epoch), so a run goes on at any step; what is read ahead follows from it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from pix2pix_data.dataset import EncodedPair, PairDataset, ParquetDataset
from pix2pix_data.errors import UsageError
from pix2pix_data.limits import num_processors
from pix2pix_model.batch import Batch
from pix2pix_model.data import cut, draw_cuts, to_device
from pix2pix_model.distributed import own_part
from pix2pix_model.nets import Rows
from pix2pix_model.pair_reader import PairReader
from pix2pix_model.recipe import DataSettings, Recipe
from pix2pix_model.schedule import Schedule
from pix2pix_model.views import to_tensor

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels

__all__ = ["StreamedPairs", "schedule_of"]

_LOOK_AHEAD = 4  # pairs waiting for each decoding thread
_BUFFERS_AHEAD = 2  # files are fetched so many times `data.stream` pairs before they are needed


def schedule_of(recipe: Recipe, dataset: PairDataset) -> Schedule:
    """Return the plan of a run; where pairs are streamed, it goes through the files one after the other.

    Raises
    ------
    UsageError
        If pairs of a layout without such files are to be streamed.
    """
    if not recipe.data.stream:
        return Schedule(recipe.train, dataset.num_pairs["train"])
    shards = tuple(_parquet(dataset).shard_sizes("train"))
    return Schedule(recipe.train, dataset.num_pairs["train"], shards, recipe.data.stream)


class StreamedPairs:
    """The training split, each pair decoded shortly before its step; batches as those of `PairCache`.

    Parameters
    ----------
    dataset : PairDataset
    settings : DataSettings
    schedule : Schedule
        As `schedule_of` gives it.
    first_step : int
        Where the run begins or goes on.
    device : torch.device
        Where batches go.
    """

    def __init__(
        self, dataset: PairDataset, settings: DataSettings, schedule: Schedule, first_step: int, device: torch.device
    ) -> None:
        self._dataset, self._settings, self._device = _parquet(dataset), settings, device
        self._reader = PairReader(dataset, settings)
        self._ends = np.cumsum(schedule.shards)
        self._upcoming = _upcoming(schedule, first_step)
        num_threads = min(num_processors(), 16)
        self._decoders, self._fetcher = ThreadPoolExecutor(num_threads), ThreadPoolExecutor(1)
        self._num_waiting = max(num_threads * _LOOK_AHEAD, 2 * schedule.settings.batch)
        self._num_known = settings.stream * _BUFFERS_AHEAD
        self._known: deque[int] = deque()  # whose files are fetched
        self._uses: Counter[int] = Counter()  # of each file, among these
        self._files: dict[int, Future[Callable[[int], EncodedPair]]] = {}
        self._waiting: deque[tuple[int, Future[list[Pixels]]]] = deque()  # that are decoded

    def batch(self, indices: npt.NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Make the batch of these pairs with cuts drawn from `rng`; of several processes, each makes its part.

        Raises
        ------
        ImageError
            If a pair cannot be decoded, naming its key.
        StoreError
            If a file cannot be fetched.
        """
        part, share = own_part(len(indices))
        cuts = draw_cuts(rng, len(indices), self._settings).part(part)
        pictures = [self._decoded(int(index)) for index in indices[part]]
        cut_out = [cut(side, cuts, self._settings.crop_size) for side in zip(*pictures, strict=True)]
        pieces = [to_device(to_tensor(piece), self._device) for piece in cut_out]
        rows = None if share == 1 else Rows(part.start, part.stop, len(indices))
        batch = Batch(self._reader.given(pieces), self._reader.wanted(pieces), share, rows)
        self._read_ahead()  # at the end: decoding threads would hold up the making of this batch
        return batch

    def _decoded(self, index: int) -> list[Pixels]:
        if not self._waiting:
            self._read_ahead()
        if self._waiting and self._waiting[0][0] == index:
            return self._waiting.popleft()[1].result()
        shard, row = self._place(index)  # of a step that is repeated
        return self._decode(self._fetcher.submit(self._dataset.read_shard, "train", shard), row)

    def _read_ahead(self) -> None:
        while len(self._known) < self._num_known and (index := next(self._upcoming, None)) is not None:
            shard = self._place(index)[0]
            self._uses[shard] += 1
            if shard not in self._files:
                self._files[shard] = self._fetcher.submit(self._dataset.read_shard, "train", shard)
            self._known.append(index)
        while len(self._waiting) < self._num_waiting and self._known:
            index = self._known.popleft()
            shard, row = self._place(index)
            self._waiting.append((index, self._decoders.submit(self._decode, self._files[shard], row)))
            self._uses[shard] -= 1
            if not self._uses[shard]:
                del self._files[shard]  # decoders that still read it hold it

    def _decode(self, file: Future[Callable[[int], EncodedPair]], row: int) -> list[Pixels]:
        return self._reader.read((file.result()(row),), self._settings.load_size)

    def _place(self, index: int) -> tuple[int, int]:
        """Return the file of a pair, and its position there."""
        shard = int(np.searchsorted(self._ends, index, side="right"))
        return shard, index - (int(self._ends[shard - 1]) if shard else 0)


def _upcoming(schedule: Schedule, first_step: int) -> Iterator[int]:
    for step in range(first_step, schedule.num_steps):
        indices = schedule.pairs(step)
        yield from map(int, indices[own_part(len(indices))[0]])


def _parquet(dataset: PairDataset) -> ParquetDataset:
    if not isinstance(dataset, ParquetDataset):
        fix = f"make it one of ours first: p2p-data import {dataset.path}; or leave out data.stream"
        raise UsageError("pictures in single files cannot be streamed", where=dataset.path, fix=fix)
    return dataset
