"""The platform's identity at Google, and the retries of calls to Google's services."""
