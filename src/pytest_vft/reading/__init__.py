"""From bytes on disk to JSON values and measured pictures; nothing here judges."""
