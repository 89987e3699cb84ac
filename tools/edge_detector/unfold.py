"""Put norms back into a network whose norms were folded, so that it trains at a high rate again.

    python tools/edge_detector/unfold.py wide.pt normed.pt --data ../shared/data

Each norm gets the statistics that its convolution has on training crops, and the scale and shift that undo it: the
network answers as before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from crops import Crops, HumanContours, PublishedDrawings
from network import EdgeNetwork
from torch import Tensor, nn
from train import drawing_paths

NUM_CROPS = 64
MAX_DIFFERENCE = 1e-3
"""In log odds."""


@torch.no_grad()
def unfolded(plain: EdgeNetwork, photos: Tensor) -> EdgeNetwork:
    """Give a network with norms that answers as one without does; photos (N, 3, H, W) set the statistics."""
    network = EdgeNetwork()
    network.load_state_dict(plain.state_dict(), strict=False)
    outputs: dict[str, Tensor] = {}
    convolutions = dict(plain.named_modules())
    normed = {name: norm for name, norm in network.named_modules() if isinstance(norm, nn.BatchNorm2d)}
    for name in normed:
        folded_name = f"{name.rpartition('.')[0]}.0"  # the convolution that the norm followed
        convolutions[folded_name].register_forward_hook(
            lambda _module, _inputs, output, name=name: outputs.__setitem__(name, output)
        )
    plain(photos)
    for name, norm in normed.items():
        convolution = convolutions[f"{name.rpartition('.')[0]}.0"]
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        variance, mean = torch.var_mean(outputs[name], (0, 2, 3))
        norm.running_mean.copy_(mean - convolution.bias)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description="Put norms back into a network whose norms were folded.")
    parser.add_argument("checkpoint", type=Path, help="what recover.py or widen.py wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds bsds500/, photo_edges_shoes/")
    options = parser.parse_args()
    plain = EdgeNetwork(norms=False).eval()
    plain.load_state_dict(torch.load(options.checkpoint, weights_only=True)["average"])
    drawings = PublishedDrawings(drawing_paths(options.data), 0.6)
    crops = Crops(HumanContours(options.data / "bsds500"), drawings, 0.6, 256, 0, NUM_CROPS)
    photos = torch.stack([crops[number][0] for number in range(NUM_CROPS)])
    network = unfolded(plain, photos)
    with torch.no_grad():
        worst = float((network(photos[:8])[0] - plain(photos[:8])[0]).abs().max())
    print(f"log odds within {worst:.1e}")
    if not worst <= MAX_DIFFERENCE:
        raise SystemExit("the norms do not give back what was folded")
    torch.save({"average": network.state_dict(), "step": 0}, options.out)


if __name__ == "__main__":
    main()
