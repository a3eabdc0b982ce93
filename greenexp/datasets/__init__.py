"""Where labelled images come from: embedded digits, an image folder, the Hugging Face hub."""
