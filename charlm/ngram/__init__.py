"""Kneser-Ney n-gram language models."""
