"""What the neural learners are made of: architectures, training, torch's global state."""
