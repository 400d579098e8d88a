"""The files of a prediction."""
