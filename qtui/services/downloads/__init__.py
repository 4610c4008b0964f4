"""Fetches files from the Hub, each download in a child process, and keeps what is known of them."""
