package policy

// Charged reports whether a job was charged, as far as that is remembered.
func (l *Ledger) Charged(digest [32]byte) bool { return l != nil && l.jobs.digests[digest] != nil }
