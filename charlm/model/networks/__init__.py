"""The networks of a language model that are not recurrent, and the interface of all; see also `charlm.model.layers`."""
