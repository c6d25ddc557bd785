"""The user's hand in an agent's folder: every path is resolved by the kernel, below the folder's own descriptor."""
