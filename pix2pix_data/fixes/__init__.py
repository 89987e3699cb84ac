"""What `p2p-data check --fix` does: what is safely mended, the pictures of one pair, and the new folder."""
