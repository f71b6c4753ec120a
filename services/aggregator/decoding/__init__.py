"""From the log's bytes to columns of events, in processes beside the worker."""
