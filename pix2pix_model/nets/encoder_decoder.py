"""The encoder-decoder generator: the U-Net without its skips, which the paper compares it with."""

from __future__ import annotations

from torch import Tensor, nn

from pix2pix_model.nets.spec import GENERATORS, GeneratorSpec
from pix2pix_model.nets.unet import make_decoder, make_encoder, unet_depth

__all__ = ["EncoderDecoder"]


@GENERATORS.register("encoder_decoder")
class EncoderDecoder(nn.Module):
    """Encoder and decoder of the U-Net in a row: all that is known of A passes the bottleneck.

    Parameters
    ----------
    spec : GeneratorSpec
        As the U-Net's. `dropout_at` "torch" is this network's reference; the authors' PyTorch code has no such network.

    References
    ----------
    Isola et al. 2017, arXiv:1611.07004, sections 4.3 and 6.1.1.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.multiple_px = self.smallest_px = 2 ** unet_depth(spec.size_px)
        self.encoder = make_encoder(spec)
        self.decoder, self.to_picture = make_decoder(spec, skips=False)

    def forward(self, a: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W), both in [-1, 1]."""
        h = a
        for layer in (*self.encoder, *self.decoder, self.to_picture):
            h = layer(h)
        return h
