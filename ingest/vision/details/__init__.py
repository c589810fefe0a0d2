"""Details: where else a part of a picture occurs. Patch tokens of one block, coded small, are compared patch by patch;
key points and votes then say where in a picture the part lies."""
