"""`make run`: every process of hoopweb on one machine, on embedded parts. Production starts them otherwise (deploy/).

Nothing here imports Django: the processes do, once the services they need are up.
"""
