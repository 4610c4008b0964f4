"""What runs in a downloading child: our own byte loop, with the user's token only where huggingface_hub puts it."""
