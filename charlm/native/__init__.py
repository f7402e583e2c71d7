"""C code, compiled at first use and kept in the cache: where there is no C compiler, charlm works without it."""
