"""What everything may import; nothing here holds a rule of the domain."""
