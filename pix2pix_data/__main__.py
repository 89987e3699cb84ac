"""python -m pix2pix_data: the same as p2p-data."""

from pix2pix_data.cli import main

if __name__ == "__main__":
    main()
