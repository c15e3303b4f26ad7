"""The playground: a format and a mapping in a browser, beside the events that they make of real lines."""
