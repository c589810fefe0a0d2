"""The command `objects`: what stands out in each picture of a collection, found without training."""
