"""The Hub: what is looked for there, what is found, and what each file really is."""
