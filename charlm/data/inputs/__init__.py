"""What a user names as a text: its format, encoding and line ends, and downloads."""
