"""NiceGUI pages and components, on top of everything; `theme` is the look, `words` the language."""
