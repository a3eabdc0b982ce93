"""Which models and data sets the configuration offers, and what is known of them."""
