"""Write the trained network as ONNX, for onnxruntime: norms folded, weights in 8 and 16 bits, log odds calibrated.

    python tools/edge_detector/export.py runs/edge_detector/checkpoint.pt pix2pix_data/edges/weights/tiny.onnx

Needs onnx and onnxscript, and onnxruntime to prove that the file gives the network's own answers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from network import STRIDE, EdgeNetwork, fold
from onnx import numpy_helper
from torch import Tensor, nn

MAX_DIFFERENCE = 0.05
"""In log odds: what the fewer bits of the weights may cost."""

MOST_IN_HALF = 25_000
"""Layers of no more weights keep 16 bits: the first and the last, where 8 bits cost most and save least."""


class Deployed(nn.Module):
    """The network alone, without its sides; float32 photos (1, 3, H, W) in [0, 255] to log odds (1, 1, H, W)."""

    def __init__(self, network: EdgeNetwork, shift: float) -> None:
        super().__init__()
        self.network = network
        self.shift = shift

    def forward(self, photos: Tensor) -> Tensor:
        logits: Tensor = self.network(photos)[0]
        return logits + self.shift


def packed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store weights in fewer bits, and let the runtime widen them once, when it loads the file.

    Small layers are stored in half precision, large ones as 8-bit multiples of a step for each output channel.
    """
    graph = model.graph
    for initializer in list(graph.initializer):
        weights, name = numpy_helper.to_array(initializer), initializer.name
        if weights.dtype != np.float32 or weights.size < 64:
            continue
        graph.initializer.remove(initializer)
        if weights.size <= MOST_IN_HALF:
            graph.initializer.append(numpy_helper.from_array(weights.astype(np.float16), f"{name}_half"))
            graph.node.insert(0, onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
            continue
        steps = np.maximum(np.abs(weights).max((1, 2, 3), keepdims=True) / 127, np.float32(1e-12))
        multiples = np.rint(weights / steps).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(multiples, f"{name}_multiples"))
        graph.initializer.append(numpy_helper.from_array(steps.astype(np.float32), f"{name}_steps"))
        wide = f"{name}_wide"
        graph.node.insert(0, onnx.helper.make_node("Cast", [f"{name}_multiples"], [wide], to=onnx.TensorProto.FLOAT))
        graph.node.insert(1, onnx.helper.make_node("Mul", [wide, f"{name}_steps"], [name]))
    return model


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter tells of itself: stack traces, and names of this machine's files."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:]
    return model


def export(checkpoint: Path, out: Path, shift: float) -> float:
    """Write `out`; return the largest difference of its log odds from the network's, on noise."""
    weights = torch.load(checkpoint, weights_only=True, map_location="cpu")["average"]
    network = EdgeNetwork(norms="stem.1.running_mean" in weights)
    network.load_state_dict(weights)
    deployed = Deployed(network.eval(), shift).eval()
    photos = torch.randint(0, 256, (1, 3, 8 * STRIDE, 10 * STRIDE), generator=torch.Generator().manual_seed(0)).float()
    with torch.no_grad():
        expected = deployed(photos).numpy()
        fold(network)
        sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
        program = torch.onnx.export(
            deployed,
            (photos,),
            input_names=["photos"],
            output_names=["log_odds"],
            dynamic_shapes={"photos": sides},
            dynamo=True,
        )
    assert program is not None
    onnx.save(plain(packed(program.model_proto)), out)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    return float(np.abs(session.run(None, {"photos": photos.numpy()})[0] - expected).max())


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the trained network as ONNX.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shift", type=float, default=0.0, help="added to the log odds; see calibrate.py")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    difference = export(options.checkpoint, options.out, options.shift)
    print(
        f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB; log odds within {difference:.4f} of the network's"
    )
    if difference > MAX_DIFFERENCE:
        raise SystemExit("too far from the network")


if __name__ == "__main__":
    main()
