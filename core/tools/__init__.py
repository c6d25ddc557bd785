"""The platform's own tools that a model may call: what each takes, what it asks a person, and what it does."""
