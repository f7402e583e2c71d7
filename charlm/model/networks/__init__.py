"""The networks of a language model, and the interface of all."""
