"""Pictures made by the machine, of which everything is known: to try a method where the truth is at hand."""
