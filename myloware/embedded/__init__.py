"""PostgreSQL, a Redis-compatible broker and the process supervisor that a clone runs on.

``DB_URL`` and ``REDIS_URL`` replace the embedded servers; nothing else in the project knows which is used.
"""
