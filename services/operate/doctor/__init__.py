"""`wattoken doctor`: looks at all that a deployment stands on, and says what to do."""
