"""The web's hold on its runners and its gateway: start, find, watch, and stop them."""
