"""What leaves a box for the internet: asked for on its socket, judged, connected, counted and written down."""
