"""python -m pix2pix_model: the same as p2p-train."""

from pix2pix_model.cli_train import main

if __name__ == "__main__":
    main()
