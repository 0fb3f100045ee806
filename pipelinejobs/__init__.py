"""The PipelineJobs Manager: it receives what is reported about jobs and keeps their state."""
