"""Authentication and permissions: who sent a request, and what this principal may do."""
