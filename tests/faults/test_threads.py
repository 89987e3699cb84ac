"""Who works beside others takes one thread: worker processes together do not take more than the machine has."""

from __future__ import annotations

import json
from pathlib import Path

from pix2pix_data.engines.local import run_local


def write_threads(path: Path, tick: object) -> None:
    """Write down how many threads the libraries of a worker take."""
    import cv2
    import numpy as np
    from sklearn.cluster import kmeans_plusplus

    pixels = np.random.default_rng(0).random((500, 3))
    kmeans_plusplus(pixels @ np.eye(3), 4)
    path.write_text(json.dumps({"cv2": cv2.getNumThreads(), "libraries": pools()}), encoding="utf-8")


def pools() -> dict[str, int]:
    from threadpoolctl import threadpool_info

    return {one["internal_api"]: one["num_threads"] for one in threadpool_info()}


def test_workers_of_a_build_take_one_thread_each(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    paths = [tmp_path / f"{i}.json" for i in range(2)]
    run_local(write_threads, paths, workers=2, tick=lambda _: None)
    for path in paths:
        told = json.loads(path.read_text())
        assert told["cv2"] == 1
        assert told["libraries"] == {"openblas": 1, "openmp": 1}
