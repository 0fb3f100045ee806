"""Reads deliveries as events. Pure: no I/O, no database and no clock."""
