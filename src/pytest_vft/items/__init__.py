"""What the plugin adds to a session, imported only when one of its options is given."""
