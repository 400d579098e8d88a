"""Recordings in, sounding pixels out."""
