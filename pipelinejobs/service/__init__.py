"""The use cases over the core and the store: judge an event, send what is owed, keep what was applied."""
