"""From bytes on disk to JSON values and measured images; nothing here judges."""
