"""What the pages ask for, one module for each page."""
