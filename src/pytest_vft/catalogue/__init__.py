"""The catalogue: rule files, providers, which rules a run uses, their cases and pages."""
