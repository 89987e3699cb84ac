"""What p2p-model evaluate stands on: scores of a set of pictures, networks that judge them, tables and a page."""
