"""`evaluate`: how well the maps of a run show what is known to be in its pictures."""
