"""The ledger's arithmetic, pure: canonical bytes, leaves, the RFC 6962 tree."""
