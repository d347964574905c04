"""A fine-tuning job: planned, asked for, made, followed."""
