"""Scale on paper: what the benchmark measured, made a model that predicts it, and taken further."""
