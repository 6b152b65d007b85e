"""What to run, read and copy: the demos, the experiment and a training script."""
