"""The composition root: settings, URLs and the WSGI entry. It may import any app; no app imports it."""

__version__ = "0.1.0"
