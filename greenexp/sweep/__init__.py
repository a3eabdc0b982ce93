"""Plans the runs that a command means, checks them beforehand, forecasts and resumes them."""
