package listfeed

// Urgent is urgent, for tests.
func (u *Updater) Urgent(b *Bundle) bool { return u.urgent(b) }
