"""Words: the text towers of networks that were trained with texts, and how near a picture is to a text.

`scores` and `labelling` need no torch."""
