"""What a language model adds to its network: contexts and labels to inputs, n-gram prior and match to logits."""
