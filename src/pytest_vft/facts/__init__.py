"""Facts: measurements of one subject, without a threshold and without a provider's name.

One module a scope, each with a TypedDict whose fields are documented where they stand. None means
that something was not measured; a field that is absent from the data has the fact of its documented
default.
"""
