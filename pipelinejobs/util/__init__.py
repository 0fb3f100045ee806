"""Tools without a rule of the domain, which every other part may import."""
