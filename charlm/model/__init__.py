"""The language model: recurrent layers, n-gram prior and n-gram embedding."""
