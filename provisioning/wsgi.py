"""The WSGI application that the web server serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "provisioning.settings")

application = get_wsgi_application()

from apps.system.api.chunks import measured  # noqa: E402 - the apps can only be imported once Django is set up

application = measured(application)
