"""The networks that a language model can have besides the recurrent layers, by the same interface."""
