"""From a user's arguments to windows of token ids: sources, decoding, documents, splits and datasets."""
