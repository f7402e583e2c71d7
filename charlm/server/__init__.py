"""`charlm serve`: pages to write, read, train and teach with, and the completions API, on this machine alone."""
