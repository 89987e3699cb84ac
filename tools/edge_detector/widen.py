"""Widen a trained network, so that training goes on with more channels and nothing is forgotten.

    python tools/edge_detector/widen.py stage3/checkpoint.pt wide.pt

Takes the weights of a network with fewer channels in some levels than network.py has, and writes a checkpoint for
`train.py --init`: some channels are there twice, and what reads them takes a random part from either.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from network import EdgeNetwork
from torch import Tensor

_FOLLOWS = {
    "stem": ("photo", "e0"),
    "levels.0.0.body.0": ("e0", "inner0"),
    "levels.0.0.body.1": ("inner0", "e0"),
    "levels.1.0": ("e0", "e1"),
    "levels.1.1.body.0": ("e1", "inner1"),
    "levels.1.1.body.1": ("inner1", "e1"),
    "levels.1.2.body.0": ("e1", "inner2"),
    "levels.1.2.body.1": ("inner2", "e1"),
    "levels.2.0": ("e1", "e2"),
    "levels.2.1.body.0": ("e2", "inner3"),
    "levels.2.1.body.1": ("inner3", "e2"),
    "levels.2.2.body.0": ("e2", "inner4"),
    "levels.2.2.body.1": ("inner4", "e2"),
    "levels.3.0": ("e2", "e3"),
    "lateral.2": ("e2", "d2"),
    "lateral.0": ("e0", "d0"),
    "lateral.1": ("e1", "d1"),
    "top_down.0": ("d1", "d0"),
    "mix.0": ("d0", "merged0"),
    "side.0": ("merged0", "side map"),
    "head": ("merged0", "map"),
}
"""The channels that a layer reads and writes, by name: layers whose results are added write the same."""


def widened(narrow: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Give the weights of a wider network that sees what the narrow one sees.

    References
    ----------
    Chen, Goodfellow and Shlens 2016, Net2Net, arXiv:1511.05641, section 2.2; the parts are random here, which keeps
    twins from staying twins.
    """
    generator = torch.Generator().manual_seed(seed)
    wide = EdgeNetwork(norms="stem.1.weight" in narrow).state_dict()
    twins: dict[str, tuple[Tensor, Tensor]] = {}

    def choose(channels: str, old: int, new: int) -> tuple[Tensor, Tensor]:
        """Say which old channel each new one is, and which part of it."""
        if channels not in twins:
            chosen = torch.randperm(old, generator=generator)[: new - old]
            parts = 0.3 + 0.4 * torch.rand(new - old, generator=generator)
            share = torch.cat([torch.ones(old), 1 - parts])
            share[chosen] = parts
            twins[channels] = torch.cat([torch.arange(old), chosen]), share
        return twins[channels]

    for name, like in wide.items():
        layer = next((layer for layer in _FOLLOWS if name.startswith(f"{layer}.")), None)
        if layer is None or narrow[name].ndim == 0:
            wide[name] = narrow[name]
            continue
        reads, writes = _FOLLOWS[layer]
        old = narrow[name]
        origin, _ = choose(writes, len(old), len(like))
        wide[name] = old[origin]
        if old.ndim == 4:
            origin, share = choose(reads, old.shape[1], like.shape[1])
            wide[name] = wide[name][:, origin] * share[:, None, None]
    return wide


def main() -> None:
    parser = argparse.ArgumentParser(description="Widen a trained network.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    narrow = torch.load(options.checkpoint, weights_only=True, map_location="cpu")["average"]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"average": widened(narrow, options.seed), "step": 0}, options.out)


if __name__ == "__main__":
    main()
