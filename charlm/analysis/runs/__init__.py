"""What a run's log shows: training curves, samples and advice."""
