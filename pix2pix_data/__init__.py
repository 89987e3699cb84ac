"""Paired A|B image datasets from a folder of photos: made, split, read and shown."""

__all__ = ["__version__"]
__version__ = "0.1.0"
