"""The command line. Each command has a file: it parses its options, calls the library and shows the result."""
