"""Breaks a whole system on purpose, and checks that nothing was lost and nothing was done twice."""
