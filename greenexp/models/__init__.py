"""Where classifiers come from: the embedded ones, a local folder, the Hugging Face hub."""
