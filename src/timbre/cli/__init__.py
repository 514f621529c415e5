"""One command, `timbre`: thin verbs that parse, build and call."""
