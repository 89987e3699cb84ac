"""A pix2pix GAN trained from one recipe file, and put to use."""

__all__ = ["__version__"]
__version__ = "0.1.0"
