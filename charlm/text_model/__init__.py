"""TextModel: a model loaded from a file, with methods that do what the commands do."""

from charlm.text_model.loaded import require_forward
from charlm.text_model.text_model import TextModel

__all__ = ["TextModel", "require_forward"]
