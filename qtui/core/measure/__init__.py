"""How far quants are from their model: perplexity and KL divergence, measured here."""
