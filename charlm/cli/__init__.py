"""The command line: one file for each command; each parses, calls `charlm.api`, and shows what came of it."""
