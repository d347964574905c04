"""The report as a page with images."""
