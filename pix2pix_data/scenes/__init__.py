"""What the daynight maker stands on: when a photo was taken, in what light, and how two of one scene lie on another."""
