"""Training by several processes: what they tell each other, and how they are started."""
