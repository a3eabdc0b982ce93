"""greenexp measures what optimization tactics do to a pre-trained image classifier."""
