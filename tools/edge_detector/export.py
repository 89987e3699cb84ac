"""Write the trained network as ONNX, for onnxruntime: norms folded, weights in half precision, log odds calibrated.

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
"""In log odds: what half precision of the weights may cost."""


class Deployed(nn.Module):
    """The network alone, without its sides; float32 photos (1, 3, H, W) in [0, 255] to log odds (1, 1, H, W)."""

    def __init__(self, network: EdgeNetwork, shift: float) -> None:
        super().__init__()
        self.network = network
        self.shift = shift

    def forward(self, photos: Tensor) -> Tensor:
        logits: Tensor = self.network(photos)[0]
        return logits + self.shift


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store weights in float16, and let the runtime widen them once, when it loads the file."""
    for initializer in list(model.graph.initializer):
        values = numpy_helper.to_array(initializer)
        if values.dtype != np.float32 or values.size < 64:
            continue
        model.graph.initializer.remove(initializer)
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), f"{initializer.name}_half"))
        cast = onnx.helper.make_node(
            "Cast", [f"{initializer.name}_half"], [initializer.name], to=onnx.TensorProto.FLOAT
        )
        model.graph.node.insert(0, cast)
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
    onnx.save(plain(halved(program.model_proto)), out)
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
