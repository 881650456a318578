"""The ASGI front: receives requests on the event loop, runs the synchronous application in threads."""
