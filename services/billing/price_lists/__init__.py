"""`wattoken tariffs sync`: published price lists, read, compared, and put into the catalogue."""
