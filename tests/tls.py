"""The TLS context for all HTTP clients of the tests: reading all authorities' certificates again costs 50
ms each time.
"""

import ssl

TLS = ssl.create_default_context()
