"""The labels of documents."""
