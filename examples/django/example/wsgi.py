"""The script that WSGIScriptAlias names."""

import os

from django.core.wsgi import get_wsgi_application

# Set, not defaulted: sites that share a process would otherwise get each other's settings.
os.environ["DJANGO_SETTINGS_MODULE"] = "example.settings"
application = get_wsgi_application()
