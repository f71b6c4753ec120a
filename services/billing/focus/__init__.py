"""`wattoken focus`: charges as a dataset of FOCUS, which tools of finance read."""
