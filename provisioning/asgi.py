"""The ASGI application that the web server serves."""

import os
import sys

from django.core.wsgi import get_wsgi_application

from provisioning.private_files import UMASK

os.umask(UMASK)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "provisioning.settings")

wsgi_application = get_wsgi_application()

from apps.system.schema_version import SchemaMismatch, refuse_mismatch  # noqa: E402 - needs Django to be set up

try:
    refuse_mismatch()
except SchemaMismatch as mismatch:
    sys.exit(str(mismatch))

from apps.system.web.front import Front  # noqa: E402 - the apps can only be imported once Django is set up

application = Front(wsgi_application)
