"""The composition root: settings, URLs and the WSGI entry. It may import any app; no app imports it."""

import gc

__version__ = "0.1.0"

# Until all apps are loaded (SiteConfig): little of what is imported is garbage, and looking for it takes time.
gc.disable()
