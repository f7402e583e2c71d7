"""From logits to the next token, and from tokens to texts as they are written."""

from charlm.sampler.beam import beam_search
from charlm.sampler.filters import distribution
from charlm.sampler.generate import Piece, generate, write_many, write_pieces
from charlm.sampler.settings import SampleConfig
from charlm.sampler.writer import Written

__all__ = ["Piece", "SampleConfig", "Written", "beam_search", "distribution", "generate", "write_many", "write_pieces"]
