"""What the documents show is run: every code block, by the test that takes it from its page."""
