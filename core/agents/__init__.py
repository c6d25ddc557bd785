"""Changes of an agent's record in the Store: by the web for people, by the gateway for the builder's tools."""
