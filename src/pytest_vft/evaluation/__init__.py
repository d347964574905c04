"""Evaluation: whether the answers of a model to the questions of a test split are right."""
