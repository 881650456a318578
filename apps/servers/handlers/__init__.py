"""Handlers of servers: what the worker does at clouds, one module for each change."""
