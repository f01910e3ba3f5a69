"""The public REST API under /api/v1/. Each view is parse, call a room's service or selector, present."""
