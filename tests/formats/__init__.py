"""Formats: what every line becomes, and that nothing else can be made of it."""
