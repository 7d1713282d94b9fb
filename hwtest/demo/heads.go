package demo

import "context"

// Heads is what central holds of the posts' audit logs, as "watchpost-central
// heads export" prints it.
func (c *Central) Heads(ctx context.Context) ([]byte, error) { return c.run(ctx, "heads", "export") }

// SecondID is the account of the second officer: a supervisor and auditor.
const SecondID = secondID
