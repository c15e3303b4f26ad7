"""logship: web server access logs into API events, exactly once."""

__version__ = "0.1.0"
