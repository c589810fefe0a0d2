"""The command `patches`: what is worth seeing of very large pictures, without ever holding one of them whole."""
