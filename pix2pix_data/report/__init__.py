"""report.html: one offline page that shows a dataset to people."""

from pix2pix_data.report.page import write_report

__all__ = ["write_report"]
