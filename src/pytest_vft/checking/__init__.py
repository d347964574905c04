"""Facts against rules: verdicts, counts and, for what failed, findings."""
