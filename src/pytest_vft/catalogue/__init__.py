"""The catalogue: rules, providers, the selection of rules for a run, cases and generated pages."""
