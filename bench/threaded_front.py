"""The application straight on the web server's own WSGI threads: what the ASGI front is measured against."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "provisioning.settings")

application = get_wsgi_application()
