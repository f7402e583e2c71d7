"""What goes on inside a model: gradients through time, and a toy model step by step."""
