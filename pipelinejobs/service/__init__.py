"""The use cases: judge events, send outbox messages, requeue messages, apply undone events again."""
