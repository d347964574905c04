"""Use cases: from settings to a result, one module each."""
