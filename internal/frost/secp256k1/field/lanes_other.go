//go:build !amd64 || purego

package field

// FastLanes reports whether [Lanes] are faster than elements one by one.
func FastLanes() bool { return false }

// Mul sets l = a·b.
func (l *Lanes) Mul(a, b *Lanes) *Lanes {
	l.mulGeneric(a, b)
	return l
}

// Square sets l = a².
func (l *Lanes) Square(a *Lanes) *Lanes {
	l.mulGeneric(a, a)
	return l
}

// Add sets l = a + b.
func (l *Lanes) Add(a, b *Lanes) *Lanes {
	l.addGeneric(a, b)
	return l
}

// Sub sets l = a - b, for a tight b.
func (l *Lanes) Sub(a, b *Lanes) *Lanes {
	l.subGeneric(a, b)
	return l
}

// WipeRegisters has nothing to do: Go's own registers can't be wiped.
func WipeRegisters() {}
