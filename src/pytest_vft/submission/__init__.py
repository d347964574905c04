"""Fine-tuning jobs: plan, preflight, upload, create, follow and cancel."""
