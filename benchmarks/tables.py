"""The tables that `benchmarks/render.py` makes: which results each one shows, and its columns.

A table stands in a page between two comments with its name. One without results is not shown.
"""

import quality_tables
import speed_tables
import writing_tables

TABLES = quality_tables.TABLES | speed_tables.TABLES | writing_tables.TABLES
"""Every table by its name."""
