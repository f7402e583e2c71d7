"""C code, compiled at first use and cached. Without a C compiler charlm runs without it."""
