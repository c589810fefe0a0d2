"""Training, from a configuration file to a database with its curves and a file with its weights."""
