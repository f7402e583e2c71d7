"""Training: steps, schedule, validation, and the files a run writes."""
