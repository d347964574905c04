"""One module per output format: a report in, text out."""
