"""Analyses as self-contained HTML pages."""
