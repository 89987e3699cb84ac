"""The networks. Importing this fills the registries."""

from pix2pix_model.nets.dropout import Rows, drawing_rows
from pix2pix_model.nets.encoder_decoder import EncoderDecoder
from pix2pix_model.nets.layers import initialise, limit_gains, num_parameters
from pix2pix_model.nets.patchgan import PatchGAN
from pix2pix_model.nets.receptive_field import receptive_field
from pix2pix_model.nets.resnet import ResNet
from pix2pix_model.nets.spec import DISCRIMINATORS, GENERATORS, DiscriminatorSpec, GeneratorSpec, sides_taken
from pix2pix_model.nets.unet import UNet

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "DiscriminatorSpec",
    "EncoderDecoder",
    "GeneratorSpec",
    "PatchGAN",
    "ResNet",
    "Rows",
    "UNet",
    "drawing_rows",
    "initialise",
    "limit_gains",
    "num_parameters",
    "receptive_field",
    "sides_taken",
]
