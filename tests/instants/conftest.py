"""The tests find the modules of this folder, one of which is also a program, because they are in one folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
