"""Small building blocks that know nothing about this product."""
