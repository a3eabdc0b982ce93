"""What lies beside every artefact: it imports nothing of greenexp."""
