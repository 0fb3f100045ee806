"""The rules: what an event means for a job, and which sender may send it. Pure: nothing here does I/O."""
