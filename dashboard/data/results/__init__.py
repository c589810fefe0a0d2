"""What trainings and evaluations have come to."""
