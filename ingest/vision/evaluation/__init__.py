"""How well maps show what is known to be in a picture: truth on their grid, measures, and what many pictures say."""
