"""The endpoint for other programs: what may be asked, in which order it is answered, and how answers look."""
