package httpapi

// Callers are those who may call, found in constant time by the hash of what they show.
type Callers struct{}
