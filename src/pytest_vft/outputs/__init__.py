"""What commands write: data, examples that are set aside, and the origin of each line."""
