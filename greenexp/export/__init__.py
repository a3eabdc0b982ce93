"""From a measured tactic to an artefact that runs without greenexp and is proven to be the same."""
