"""What the edge maker stands on: detectors that see soft edges, and the strokes that are drawn from them."""
