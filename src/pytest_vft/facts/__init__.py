"""Facts: measurements of one subject, without thresholds and without names of providers.

Each scope has a module with a TypedDict whose fields are documented in place. None means that a fact is
not known; a field that is absent from the data has the fact of its documented default.
"""
