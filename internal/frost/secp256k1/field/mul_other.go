//go:build !amd64 || purego

package field

// Mul sets e = a·b.
func (e *Element) Mul(a, b *Element) *Element { return e.mulLimbs(a, b) }

// Square sets e = a².
func (e *Element) Square(a *Element) *Element { return e.squareLimbs(a) }
