"""How an agent's record changes in the Store: the web changes agents, and the gateway does for the builder's tools."""
