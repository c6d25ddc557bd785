"""The web process: the application that a browser or an API client reaches, and the server around it."""
