"""Read the weights of an exported detector back, so that training can go on from them.

    python tools/edge_detector/recover.py pix2pix_data/edges/weights/tiny.onnx recovered.pt

The file holds no norms, no sides, and weights in 8 and 16 bits. `finetune.py` needs no more; `unfold.py` puts norms
back, for `train.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from network import STRIDE, EdgeNetwork
from onnx import numpy_helper
from torch import Tensor

MAX_DIFFERENCE = 1e-3
"""In log odds: what another order of summing may cost."""


def recovered(path: Path) -> tuple[dict[str, Tensor], float]:
    """Give the weights of a network without norms, and the shift that was added to its log odds."""
    model = onnx.load(path)
    network = EdgeNetwork(norms=False)
    own = network.state_dict()
    shift = 0.0
    stored = {
        initializer.name.removeprefix("network."): torch.from_numpy(
            numpy_helper.to_array(initializer).astype(np.float32)
        )
        for initializer in model.graph.initializer
    }
    for name, values in stored.items():
        layer = name.removesuffix("_half").removesuffix("_multiples")
        if layer in own:
            own[layer] = values * stored[f"{layer}_steps"] if name.endswith("_multiples") else values
        elif values.ndim == 0:
            shift = float(values)
    return own, shift


def difference(weights: dict[str, Tensor], shift: float, path: Path) -> float:
    """Measure how far the network's log odds are from those of the file, on noise."""
    network = EdgeNetwork(norms=False).eval()
    network.load_state_dict(weights)
    photos = torch.randint(0, 256, (1, 3, 8 * STRIDE, 10 * STRIDE), generator=torch.Generator().manual_seed(0)).float()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        own = network(photos)[0].numpy() + shift
    return float(np.abs(session.run(None, {"photos": photos.numpy()})[0] - own).max())


def main() -> None:
    parser = argparse.ArgumentParser(description="Read the weights of an exported detector back.")
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    weights, shift = recovered(options.weights)
    worst = difference(weights, shift, options.weights)
    print(f"shift {shift:g}; log odds within {worst:.1e} of the file's")
    if not worst <= MAX_DIFFERENCE:
        raise SystemExit("this is not the network of network.py")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"average": weights, "step": 0}, options.out)


if __name__ == "__main__":
    main()
