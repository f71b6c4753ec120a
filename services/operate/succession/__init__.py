"""`wattoken succeed`: a log is followed by another, on a running system."""
