"""Windows (T, B) over the documents of a split, for truncated backpropagation through time and for scoring.

Long documents are cut into segments. Segments and short documents of similar length form groups of at most B rows,
longest first. A group is read from left to right in windows of at most T tokens, and the state carries from window to
window. A row that has ended is absent from the next window, which continues from the state of the first B rows of the
last. The order is a pure function of seed and epoch: a cursor of five numbers says where a run is, and a run continues
from it exactly.
"""

from charlm.data.windows.scoring import block_groups, block_windows, document_windows, sample_windows
from charlm.data.windows.segments import Segments
from charlm.data.windows.training import mean_window, most_rows, training_windows
from charlm.data.windows.window import IGNORE, Cursor, Past, Window, carry, keep_rows

__all__ = [
    "IGNORE",
    "Cursor",
    "Past",
    "Segments",
    "Window",
    "block_groups",
    "block_windows",
    "carry",
    "document_windows",
    "keep_rows",
    "mean_window",
    "most_rows",
    "sample_windows",
    "training_windows",
]
