//go:build amd64 && !purego

package edwards25519

import (
	"encoding/binary"

	"filippo.io/edwards25519/field"
	"golang.org/x/sys/cpu"
)

// hasLanes is whether the processor multiplies eight elements at once.
var hasLanes = cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA

// lanes are eight elements of the field, in limbs of 51 bits, the lowest first.
type lanes [5][8]uint64

const limbMask = 1<<51 - 1

func (l *lanes) set(i int, e *field.Element) { l.setBytes(i, e.Bytes()) }

// setBytes reads 32 bytes, little-endian, and not the highest bit.
func (l *lanes) setBytes(i int, b []byte) {
	w := [4]uint64{
		binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]),
		binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:]),
	}
	l[0][i] = w[0] & limbMask
	l[1][i] = (w[0]>>51 | w[1]<<13) & limbMask
	l[2][i] = (w[1]>>38 | w[2]<<26) & limbMask
	l[3][i] = (w[2]>>25 | w[3]<<39) & limbMask
	l[4][i] = w[3] >> 12 & limbMask
}

// carried are the limbs of a lane with what they have above 51 bits carried; what the highest has there
// counts 19 times. They are a number below 2^255.
func (l *lanes) carried(i int) [5]uint64 {
	v := [5]uint64{l[0][i], l[1][i], l[2][i], l[3][i], l[4][i]}
	for range 2 {
		v[0] += v[4] >> 51 * 19
		v[4] &= limbMask
		for j := range 4 {
			v[j+1] += v[j] >> 51
			v[j] &= limbMask
		}
	}
	return v
}

func (l *lanes) get(i int, e *field.Element) {
	v := l.carried(i)
	var b [32]byte
	binary.LittleEndian.PutUint64(b[0:], v[0]|v[1]<<51)
	binary.LittleEndian.PutUint64(b[8:], v[1]>>13|v[2]<<38)
	binary.LittleEndian.PutUint64(b[16:], v[2]>>26|v[3]<<25)
	binary.LittleEndian.PutUint64(b[24:], v[3]>>39|v[4]<<12)
	if _, err := e.SetBytes(b[:]); err != nil {
		panic("edwards25519: " + err.Error()) // of the length alone
	}
}

// isZeroVartime reports whether a lane is 0 or p.
func (l *lanes) isZeroVartime(i int) bool {
	v := l.carried(i)
	return v == [5]uint64{} || v == [5]uint64{limbMask - 18, limbMask, limbMask, limbMask, limbMask}
}

// pow22523 sets x = x^(2^252-3), by the squares and multiplications of most implementations.
func (x *lanes) pow22523(scratch *[3]lanes) {
	t0, t1, t2 := &scratch[0], &scratch[1], &scratch[2]
	squareIFMA(t0, x, 1)     // 2
	squareIFMA(t1, t0, 2)    // 8
	multiplyIFMA(t1, t1, x)  // 9
	multiplyIFMA(t0, t0, t1) // 11
	squareIFMA(t0, t0, 1)    // 22
	multiplyIFMA(t0, t0, t1) // 2^5 - 1
	squareIFMA(t1, t0, 5)    // 2^10 - 2^5
	multiplyIFMA(t0, t0, t1) // 2^10 - 1
	squareIFMA(t1, t0, 10)   //
	multiplyIFMA(t1, t1, t0) // 2^20 - 1
	squareIFMA(t2, t1, 20)   //
	multiplyIFMA(t1, t1, t2) // 2^40 - 1
	squareIFMA(t1, t1, 10)   //
	multiplyIFMA(t0, t0, t1) // 2^50 - 1
	squareIFMA(t1, t0, 50)   //
	multiplyIFMA(t1, t1, t0) // 2^100 - 1
	squareIFMA(t2, t1, 100)  //
	multiplyIFMA(t1, t1, t2) // 2^200 - 1
	squareIFMA(t1, t1, 50)   //
	multiplyIFMA(t0, t0, t1) // 2^250 - 1
	squareIFMA(t0, t0, 2)    // 2^252 - 4
	multiplyIFMA(x, t0, x)
}

// multiplyIFMA sets z = x*y, any of which may be the same. Limbs of x and y are below 2^52, and
// those of z below 2^51 + 2^15.
//
//go:noescape
func multiplyIFMA(z, x, y *lanes)

// squareIFMA sets z = x^(2^n), n > 0. Limbs are as those of multiplyIFMA.
//
//go:noescape
func squareIFMA(z, x *lanes, n int)

// addLanesIFMA sets z = x + y and subtractLanesIFMA z = x - y. Limbs are below 2^51 + 2^15.
//
//go:noescape
func addLanesIFMA(z, x, y *lanes)

//go:noescape
func subtractLanesIFMA(z, x, y *lanes)
