"""What `logship check` looks at: logs, permissions, the unit, servers' configurations, the receiver."""
