"""Texts in compressed files and in zip archives."""
