"""C code, compiled at first use and kept in the cache."""
