"""The same tracked work for every contender: a row is inserted, set running and set completed with a result."""
