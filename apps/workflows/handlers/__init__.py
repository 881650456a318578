"""The worker's side of workflows; done in steps that may be repeated."""
