"""The life of a run in the Store: the web starts runs, the gateway projects their logs onto them."""
