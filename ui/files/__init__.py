"""An agent's files in the workspace's panel: the tree, the viewers, the editor and what has changed."""
