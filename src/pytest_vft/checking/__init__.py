"""Facts are judged by rules: verdicts, counts, and findings for what fails."""
