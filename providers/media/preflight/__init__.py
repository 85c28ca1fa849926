"""The pre-flight: a finished film and its draft against the rules of where they go.

``facts`` measures the film, ``captions`` the texts laid over it, ``measures`` names what can be compared, ``rules``
reads the numbers (``fixtures/platforms``), ``check`` compares, ``repair`` mends.
"""
