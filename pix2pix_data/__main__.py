"""python -m pix2pix_data: the same as p2p-data.

The processes that a build starts import the file of the command anew, so what they do not need is imported in here.
"""


def main() -> None:
    """Run the command line."""
    from pix2pix_data.cli import main as command

    command()


if __name__ == "__main__":
    main()
