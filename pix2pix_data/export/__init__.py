"""Datasets in the layouts that other programs read."""

from pix2pix_data.export.write import LAYOUTS, ExportPlan, export_pairs, plan_export

__all__ = ["LAYOUTS", "ExportPlan", "export_pairs", "plan_export"]
