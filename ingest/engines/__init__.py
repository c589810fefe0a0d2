"""Other ways to do the pipeline's work than in this process: on the machines of a cluster."""
