"""Processes: training by several of them, what they tell each other, and how threads wait next to other programs."""
