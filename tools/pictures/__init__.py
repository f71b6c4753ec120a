"""What draws the pictures of the documents: a browser, scenes, screenshots."""
