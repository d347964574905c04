"""From bytes on disk to JSON values and measured images, without verdicts."""
