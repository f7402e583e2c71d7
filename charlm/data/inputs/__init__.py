"""What a user names as a text: folders, tables and names of nothing; formats, encodings and line ends."""
