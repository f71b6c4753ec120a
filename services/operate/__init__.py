"""What an operator does to a running meter, one room for each act."""
