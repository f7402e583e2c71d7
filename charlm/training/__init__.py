"""Training: optimiser steps, the schedule, validation, automatic settings, and the files that a run writes."""
