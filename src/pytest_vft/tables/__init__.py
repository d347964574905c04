"""Tables of questions, answers and images, whose rows become examples in splits."""
