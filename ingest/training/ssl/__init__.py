"""Self-supervised training of a network on a collection's own pictures, without labels."""
