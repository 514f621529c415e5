"""Where labelled audio comes from; one file per kind of source."""
