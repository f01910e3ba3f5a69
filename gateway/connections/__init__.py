"""Connections: the AWS accounts a tenant reaches through us, and how we sign for them."""
