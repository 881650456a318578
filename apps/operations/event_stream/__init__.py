"""Server-sent events: logs and states of operations, live, read from the database once for each process."""
