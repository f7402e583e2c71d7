"""Sampling: from logits to tokens, and from tokens to texts as they are written."""

from charlm.sampling.beam import beam_search
from charlm.sampling.config import SampleConfig
from charlm.sampling.filters import distribution
from charlm.sampling.generate import Chunk, generate_chunks, generate_many
from charlm.sampling.text_stream import GeneratedText

__all__ = ["Chunk", "GeneratedText", "SampleConfig", "beam_search", "distribution", "generate_chunks", "generate_many"]
