"""How runs go from state to state in the Store: the web starts them, the gateway follows them."""
