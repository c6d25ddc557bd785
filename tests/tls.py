"""One TLS context for all HTTP clients of the tests: to read every authority's certificate anew costs each 50 ms."""

import ssl

TLS = ssl.create_default_context()
