"""Work of the gateway outside a request: batches of events, background writes, periodic tasks."""
