"""What a run starts from: automatic settings, the model of --init-from, and the state before the first step."""
