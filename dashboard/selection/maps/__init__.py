"""Which maps of a picture are asked for, the controls for that, and where the maps come from."""
