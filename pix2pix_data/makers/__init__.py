"""One file for each way to make pairs; importing this package registers them all."""

from pix2pix_data.makers import colorize, combine, daynight, edges, inpaint, kmeans, labels

__all__ = ["colorize", "combine", "daynight", "edges", "inpaint", "kmeans", "labels"]
