"""Processes: training by several of them, signals, and how threads wait next to other programs."""
