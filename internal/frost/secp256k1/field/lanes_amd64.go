//go:build amd64 && !purego

package field

import "golang.org/x/sys/cpu"

// ifma is FastLanes, but in tests of both ways. Bytes are shuffled and masks of 64 bits cleared by
// AVX-512 BW (also by packages that ask FastLanes), which a virtual machine may lack although it has IFMA.
// Each may be turned off alone (GODEBUG), also what the others build on.
var ifma = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512IFMA

// FastLanes reports whether [Lanes] are faster than elements one by one: eight of them cost about
// as much as one.
func FastLanes() bool { return ifma }

// Mul sets l = a·b.
func (l *Lanes) Mul(a, b *Lanes) *Lanes {
	if ifma {
		mulIFMA(l, a, b)
		return l
	}
	l.mulGeneric(a, b)
	return l
}

// Square sets l = a².
func (l *Lanes) Square(a *Lanes) *Lanes {
	if ifma {
		squareIFMA(l, a)
		return l
	}
	l.mulGeneric(a, a)
	return l
}

// Add sets l = a + b.
func (l *Lanes) Add(a, b *Lanes) *Lanes {
	if ifma {
		addIFMA(l, a, b)
		return l
	}
	l.addGeneric(a, b)
	return l
}

// Sub sets l = a - b, for a tight b.
func (l *Lanes) Sub(a, b *Lanes) *Lanes {
	if ifma {
		subIFMA(l, a, b)
		return l
	}
	l.subGeneric(a, b)
	return l
}

// WipeRegisters clears what operations on [Lanes] leave in the registers that Go does not use.
func WipeRegisters() {
	if ifma {
		wipeIFMA()
	}
}

func wipeIFMA()

// mulIFMA is mulGeneric.
//
//go:noescape
func mulIFMA(z, x, y *Lanes)

// squareIFMA is mulIFMA of x and x.
//
//go:noescape
func squareIFMA(z, x *Lanes)

// addIFMA is addGeneric.
//
//go:noescape
func addIFMA(z, x, y *Lanes)

// subIFMA is subGeneric.
//
//go:noescape
func subIFMA(z, x, y *Lanes)
