"""Tools that know nothing of jobs and events. Every other part may import them."""
