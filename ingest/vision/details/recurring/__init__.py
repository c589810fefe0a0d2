"""Details that recur: a collection searched against itself. Boxes are sampled in every picture (`boxes`) and searched
for in all others (`searching`); places that lead to each other and back are links, and links make groups (`grouping`).
"""
