"""Where you stay: Models, Hub, Arena, Monitor."""
