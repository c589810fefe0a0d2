"""Details: patches of a collection's pictures are stored, and parts of pictures found in them again."""
