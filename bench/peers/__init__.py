"""The contenders, each as its own documentation shows it, with two workers.

A module has TITLE, COUNT (how many jobs a round takes), COMMANDS (its worker processes) and `submit(number)`, which
inserts the row, queues the job and returns the row's key.
"""
