"""The rules: what an event means for a job, and who may cause it. Pure, and below everything that does I/O."""
