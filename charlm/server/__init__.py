"""`charlm serve`: pages to write, read, train and follow the lecture, and the completions API, on one machine."""
