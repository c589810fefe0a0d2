"""Networks that are trained here: the torch side, which knows no database and writes no file."""
