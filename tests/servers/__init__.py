"""Reading the web servers' own configurations."""
