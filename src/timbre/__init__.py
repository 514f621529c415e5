"""timbre: a music genre classifier from labelled audio to a served answer."""
