"""Analyses of trained models and of runs: gradients, units, probes, training curves, and step-by-step traces."""
