"""Tenants: whose data a row is, and the walls between them."""
