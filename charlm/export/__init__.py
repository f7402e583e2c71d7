"""A model as one HTML file that writes and reads text in a browser, without a network."""

from charlm.export.export import Export, export_page

__all__ = ["Export", "export_page"]
