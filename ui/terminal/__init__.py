"""The workspace's terminal: a shell in the user's own box, drawn in the browser by xterm.js."""
