#!/usr/bin/env python
"""Command line of MyloWare; ``manage.py help`` lists the commands."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myloware.settings")
    from django.core.management import execute_from_command_line

    from myloware.embedded import options

    options.export(sys.argv)
    execute_from_command_line(sys.argv)
