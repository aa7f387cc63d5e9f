"""A pytest plugin: kazoo's harness makes keys for TLS with these two packages; nothing selected uses them."""

import sys
from unittest.mock import MagicMock

for package in ("OpenSSL", "jks"):
    sys.modules[package] = MagicMock()
