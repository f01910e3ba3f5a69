"""The WSGI application granian serves, for web and for web-edge alike."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoopweb.settings")
application = get_wsgi_application()
