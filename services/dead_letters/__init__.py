"""Records of the log that the meter refused: listed, shown, put back."""
