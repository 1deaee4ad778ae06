"""What an operator does to the database: upgrade, check, back up."""
