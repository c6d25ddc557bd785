"""How this program identifies itself to Google, and how it retries calls to Google's services."""
