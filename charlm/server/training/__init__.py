"""Training from the page: uploads, the process that trains, and the files of runs."""
