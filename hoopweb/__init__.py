"""The Django project: settings, URLs, the public API and the pages."""
