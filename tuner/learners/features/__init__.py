"""What is made of images before a classifier sees them, and the classifier that sees it."""
