"""The scripts of benchmarks/ are not a package: they find one another because they are in one folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
