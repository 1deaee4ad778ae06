"""What breaks a model: attacks, corruptions, spoilt training sets; one registry of them."""
