"""Self-supervised training: a student learns from a teacher that is its own average (DINO, Caron et al. 2021,
arXiv 2104.14294; InfoNCE, van den Oord et al. 2018, arXiv 1807.03748)."""
